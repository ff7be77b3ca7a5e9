from domain.aggregates import STOCK
from domain.stock.state import Stock
from schemas.events.stock import StockEvent
from tests.command_examples import release
from tests.examples import OTHER_ORDER_ID, dispatched, received, released, reserved, short
from tests.given import given


def test_what_an_order_holds_is_given_back() -> None:
    given(received(10), reserved(2)).when(release()).then(released(2))


def test_only_what_has_not_left_yet_is_given_back() -> None:
    given(received(10), reserved(3), dispatched(1)).when(release()).then(released(2))


def test_the_hold_of_another_order_is_kept() -> None:
    given(received(10), reserved(5, OTHER_ORDER_ID), reserved(2)).when(release()).then(released(2))


def test_a_release_that_comes_before_the_reservation_is_remembered() -> None:
    given(received(10)).when(release()).then(released(0))


def test_a_release_of_a_sku_that_was_never_received_is_remembered() -> None:
    given().when(release()).then(released(0))


def test_releasing_early_twice_changes_nothing() -> None:
    given(received(10), released(0)).when(release()).then()


def test_an_order_that_was_short_is_answered_too() -> None:
    given(received(1), short()).when(release()).then(released(0))


def test_orders_that_are_finished_are_forgotten() -> None:
    given_back: tuple[StockEvent, ...] = (reserved(2), released(2))
    refused: tuple[StockEvent, ...] = (short(9, 8), released(0))
    refused_after_release: tuple[StockEvent, ...] = (released(0), short(2, 8))
    sent: tuple[StockEvent, ...] = (reserved(2), dispatched(1), dispatched(1))
    finished = (received(10), *given_back, *refused, *refused_after_release, *sent)
    assert STOCK.fold(finished) == Stock(on_hand=8)
