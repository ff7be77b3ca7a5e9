import pytest

from schemas.events import Event
from schemas.events.order import CancelReason
from tests.examples import (
    NOON,
    OTHER_SHIPMENT_ID,
    OTHER_SKU,
    a_pick,
    authorised,
    cancelled,
    captured,
    completed,
    confirmed,
    declined,
    delivered,
    listed,
    placed,
    refund_requested,
    released,
    requested,
    reserved,
    shipped,
    short,
    voided,
)
from tests.process_managers.story import (
    BOTH_RELEASED,
    BOTH_RESERVED,
    DEADLINES,
    RELEASE,
    RELEASE_OTHER,
    TO_CONFIRMED,
    VOID,
    Story,
    after,
    cancel,
)


def test_a_cancellation_before_any_answer_releases_what_may_yet_be_reserved() -> None:
    after(placed(), cancelled()).asks(RELEASE, RELEASE_OTHER).is_in("cancelling", "2 lines to be released")


def test_a_reservation_that_arrives_after_the_cancellation_is_met_by_the_release_under_way() -> None:
    story = after(placed(), cancelled(), reserved()).asks()
    story.hears(released(), released(0, sku=OTHER_SKU)).is_in("cancelled")


def test_a_shortage_that_arrives_after_the_cancellation_changes_nothing() -> None:
    after(placed(), cancelled(), short()).asks().is_in("cancelling", "2 lines to be released")


def test_a_shortage_that_arrives_after_the_release_changes_nothing() -> None:
    after(placed(), cancelled(), *BOTH_RELEASED, short()).asks().is_in("cancelled")


def test_a_cancellation_before_the_payment_was_asked_for_voids_nothing() -> None:
    after(placed(), reserved(), cancelled()).asks(RELEASE, RELEASE_OTHER)


def test_a_payment_that_was_asked_for_and_not_yet_recorded_is_voided() -> None:
    after(placed(), *BOTH_RESERVED, cancelled()).asks(RELEASE, RELEASE_OTHER, VOID)


def test_a_payment_recorded_after_the_cancellation_is_not_authorised() -> None:
    after(placed(), *BOTH_RESERVED, cancelled(), requested()).asks()


def test_an_authorisation_under_way_during_the_cancellation_is_voided_once() -> None:
    story = after(placed(), *BOTH_RESERVED, requested(), cancelled()).asks(RELEASE, RELEASE_OTHER, VOID)
    story.hears(authorised()).asks()
    story.hears(*BOTH_RELEASED).is_in("cancelling", "the payment to be voided")
    story.hears(voided()).is_in("cancelled")


def test_an_authorisation_that_contradicts_the_end_of_the_payment_is_voided_again() -> None:
    story = after(placed(), *BOTH_RESERVED, requested(), cancelled(), *BOTH_RELEASED, declined()).is_in("cancelled")
    story.hears(authorised()).asks(VOID).is_in("cancelling", "the payment to be voided")


def test_news_of_something_else_asks_for_no_second_authorisation() -> None:
    after(placed(), *BOTH_RESERVED, requested(), listed()).asks()


def test_a_confirmation_that_lost_against_a_cancellation_leaves_the_cancellation() -> None:
    story = after(placed(), *BOTH_RESERVED, requested(), authorised(), cancelled())
    story.asks(RELEASE, RELEASE_OTHER, VOID)


def test_a_reservation_that_arrives_after_a_shortage_asks_for_no_payment() -> None:
    after(placed(), short(), reserved(1, sku=OTHER_SKU)).asks()


def test_an_authorisation_after_the_deadline_does_not_confirm() -> None:
    story = after(placed(), *BOTH_RESERVED, requested()).lets_the_deadline_pass().asks(cancel("payment_deadline"))
    story.hears(authorised()).asks()
    story.hears(cancelled(reason="payment_deadline")).asks(RELEASE, RELEASE_OTHER, VOID)


def test_a_payment_recorded_after_its_deadline_is_not_authorised() -> None:
    story = after(placed(), *BOTH_RESERVED).lets_the_deadline_pass()
    story.hears(requested()).asks()


def test_stock_that_arrives_after_its_deadline_asks_for_no_payment() -> None:
    after(placed()).lets_the_deadline_pass().hears(*BOTH_RESERVED).asks()


def test_a_shipment_that_was_faster_than_the_cancellation_goes_on() -> None:
    story = after(*TO_CONFIRMED).lets_the_deadline_pass().asks(cancel("shipment_deadline"))
    story.hears(shipped()).is_in("capturing", "the money for a shipment")
    story.hears(captured(), delivered(), completed()).is_in("completed")


def test_a_payment_that_was_voided_without_being_asked_for_cancels_the_order() -> None:
    after(placed(), *BOTH_RESERVED, requested(), voided()).asks(cancel("payment_declined"))


def test_a_line_that_was_released_without_being_asked_for_keeps_the_payment_waiting() -> None:
    after(placed(), reserved(), released(), reserved(1, sku=OTHER_SKU)).asks().is_in("reserving", "stock for 0 lines")


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ((placed(),), "stock_deadline"),
        ((placed(), *BOTH_RESERVED), "payment_deadline"),
        ((placed(), *BOTH_RESERVED, requested()), "payment_deadline"),
        (TO_CONFIRMED, "shipment_deadline"),
    ],
)
def test_a_deadline_before_anything_has_shipped_cancels(events: tuple[Event, ...], reason: CancelReason) -> None:
    after(*events).lets_the_deadline_pass().asks(cancel(reason)).is_in("cancelling", "the cancellation to be recorded")


@pytest.mark.parametrize(
    "events",
    [
        (placed(), *BOTH_RESERVED, requested(), authorised()),
        (placed(), short()),
        (placed(), cancelled()),
        (*TO_CONFIRMED, shipped()),
        (*TO_CONFIRMED, shipped(a_pick(), final=False), captured()),
        (*TO_CONFIRMED, shipped(), captured()),
        (*TO_CONFIRMED, shipped(), captured(), delivered()),
        (*TO_CONFIRMED, shipped(), captured(), delivered(), completed(), refund_requested()),
    ],
)
def test_a_deadline_that_cannot_cancel_calls_a_person(events: tuple[Event, ...]) -> None:
    story = after(*events).lets_the_deadline_pass().asks()
    assert story.known.phase == "attention"
    assert story.known.deadline_at is None


def test_a_late_event_ends_the_attention() -> None:
    story = after(*TO_CONFIRMED, shipped()).lets_the_deadline_pass()
    story.hears(captured()).is_in("delivering", "the delivery")
    assert story.known.deadline_at == story.now + DEADLINES.delivery


def test_a_customer_can_still_cancel_what_a_person_should_look_at() -> None:
    story = after(placed(), *BOTH_RESERVED, requested(), authorised()).lets_the_deadline_pass()
    story.hears(cancelled()).asks(RELEASE, RELEASE_OTHER, VOID)


def test_a_deadline_that_is_no_longer_wanted_changes_nothing() -> None:
    story = after(placed())
    stale = story.known.deadline_at
    assert stale
    before = story.hears(*BOTH_RESERVED).process
    assert story.is_told_late(stale).asks().process == before


def test_a_deadline_told_twice_acts_once() -> None:
    story = after(placed())
    deadline_at = story.known.deadline_at
    assert deadline_at
    story.lets_the_deadline_pass().is_told_late(deadline_at).asks()


def test_a_deadline_of_an_unknown_order_changes_nothing() -> None:
    story = Story().is_told_late(NOON).asks()
    assert story.process is None


def test_a_wait_keeps_its_deadline_while_it_makes_progress() -> None:
    story = after(placed())
    deadline_at = story.known.deadline_at
    assert story.hears(reserved()).known.deadline_at == deadline_at


def test_the_deadline_counts_from_when_the_wait_began_here_not_from_the_event() -> None:
    story = after(placed())
    assert story.known.deadline_at == story.now + DEADLINES.stock


def test_two_shipments_under_way_wait_for_the_money_of_both() -> None:
    rest = shipped(a_pick(OTHER_SKU, 1), shipment_id=OTHER_SHIPMENT_ID)
    story = after(*TO_CONFIRMED, shipped(a_pick(), final=False), rest, captured())
    story.is_in("capturing", "the money for a shipment")


def test_a_confirmation_after_the_cancellation_was_asked_for_waits_for_the_cancellation() -> None:
    story = after(placed(), short(), confirmed())
    story.asks().is_in("cancelling", "the cancellation to be recorded")
