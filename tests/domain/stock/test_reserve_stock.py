from tests.command_examples import reserve
from tests.examples import OTHER_ORDER_ID, adjusted, dispatched, received, released, reserved, short
from tests.given import given


def test_what_is_available_is_reserved() -> None:
    given(received(10)).when(reserve(2)).then(reserved(2))


def test_the_last_piece_can_be_reserved() -> None:
    given(received(2)).when(reserve(2)).then(reserved(2))


def test_more_than_is_available_is_short_and_nothing_is_set_aside() -> None:
    given(received(1)).when(reserve(2)).then(short(2, available=1))


def test_what_another_order_holds_is_not_available() -> None:
    given(received(3), reserved(2, OTHER_ORDER_ID)).when(reserve(2)).then(short(2, available=1))


def test_what_another_order_gave_back_is_available() -> None:
    given(received(3), reserved(2, OTHER_ORDER_ID), released(2, OTHER_ORDER_ID)).when(reserve(3)).then(reserved(3))


def test_what_another_order_took_away_is_not_available() -> None:
    given(received(3), reserved(2, OTHER_ORDER_ID), dispatched(2, OTHER_ORDER_ID)).when(reserve(2)).then(short(2, 1))


def test_what_was_written_off_is_not_available() -> None:
    given(received(3), adjusted(-2)).when(reserve(2)).then(short(2, available=1))


def test_a_sku_that_was_never_received_is_short() -> None:
    given().when(reserve(2)).then(short(2, available=0))


def test_reserving_twice_changes_nothing() -> None:
    given(received(10), reserved(2)).when(reserve(2)).then()


def test_reserving_again_after_a_part_has_left_changes_nothing() -> None:
    given(received(10), reserved(2), dispatched(1)).when(reserve(2)).then()


def test_an_order_that_was_short_stays_short_when_goods_arrive() -> None:
    given(received(1), short(2), received(10)).when(reserve(2)).then()


def test_a_reservation_that_arrives_after_its_release_is_refused() -> None:
    given(received(10), released(0)).when(reserve(2)).then(short(2, available=10))


def test_a_reservation_that_was_refused_after_its_release_does_not_keep_the_order_in_mind() -> None:
    given(received(10), released(0), short(2, 10)).when(reserve(2)).then(reserved(2))
