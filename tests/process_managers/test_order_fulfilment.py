import pytest

from process_managers.order_fulfilment import Reaction, order_of, react
from schemas.commands import NotifyCustomer
from schemas.events import Event
from tests.examples import (
    NOON,
    ORDER_ID,
    OTHER_SHIPMENT_ID,
    OTHER_SKU,
    SKU,
    a_line,
    a_pick,
    adjusted,
    authorised,
    cancelled,
    capture_refused,
    captured,
    completed,
    confirmed,
    declined,
    delivered,
    dispatched,
    euros,
    listed,
    placed,
    received,
    recorded,
    refund_refused,
    refund_requested,
    refunded,
    released,
    requested,
    reserved,
    shipped,
    short,
    voided,
)
from tests.process_managers.story import (
    AUTHORISE,
    BOTH_RELEASED,
    BOTH_RESERVED,
    COMPLETE,
    CONFIRM,
    DEADLINES,
    REFUND,
    RELEASE,
    RELEASE_OTHER,
    REQUEST,
    RESERVE,
    TO_CONFIRMED,
    VOID,
    after,
    cancel,
    capture,
    dispatch,
)

TO_COMPLETED = (*TO_CONFIRMED, shipped(), captured(), delivered(), completed())


def test_a_placed_order_asks_for_the_stock_of_every_line() -> None:
    after(placed()).asks(*RESERVE).is_in("reserving", "stock for 2 lines")


def test_the_payment_waits_for_the_last_line() -> None:
    after(placed(), reserved()).asks().is_in("reserving", "stock for 1 line")


def test_with_all_stock_reserved_the_payment_is_requested() -> None:
    after(placed(), *BOTH_RESERVED).asks(REQUEST).is_in("paying", "the payment to be authorised")


def test_a_requested_payment_is_authorised_at_the_acquirer() -> None:
    after(placed(), *BOTH_RESERVED, requested()).asks(AUTHORISE).is_in("paying", "the payment to be authorised")


def test_an_authorised_payment_confirms_the_order() -> None:
    story = after(placed(), *BOTH_RESERVED, requested(), authorised())
    story.asks(CONFIRM).is_in("confirming", "the confirmation to be recorded")


def test_a_confirmed_order_waits_to_be_shipped() -> None:
    after(*TO_CONFIRMED).asks().is_in("awaiting_shipment", "the order to be shipped")


def test_a_shipment_takes_its_goods_from_the_shelf_and_its_money_from_the_card() -> None:
    story = after(*TO_CONFIRMED, shipped())
    story.asks(dispatch(), dispatch(OTHER_SKU, 1), capture()).is_in("capturing", "the money for a shipment")


def test_a_paid_shipment_waits_to_be_delivered() -> None:
    after(*TO_CONFIRMED, shipped(), captured()).asks().is_in("delivering", "the delivery")


def test_what_is_delivered_and_paid_in_full_is_completed() -> None:
    story = after(*TO_CONFIRMED, shipped(), captured(), delivered())
    story.asks(COMPLETE).is_in("completing", "the completion to be recorded")


def test_money_that_comes_after_the_delivery_completes_as_well() -> None:
    after(*TO_CONFIRMED, shipped(), delivered(), captured()).asks(COMPLETE)


def test_a_completed_order_waits_for_nothing() -> None:
    story = after(*TO_COMPLETED).asks().is_in("completed")
    assert story.known.ended
    assert story.known.deadline_at is None


def test_goods_leaving_the_shelf_are_no_news() -> None:
    after(*TO_CONFIRMED, shipped(), dispatched()).asks().is_in("capturing", "the money for a shipment")


def test_parts_of_an_order_are_captured_one_by_one() -> None:
    part = shipped(a_pick(), amount=euros(2900), final=False)
    rest = shipped(a_pick(OTHER_SKU, 1), shipment_id=OTHER_SHIPMENT_ID, amount=euros(3900))
    story = after(*TO_CONFIRMED, part).asks(dispatch(), capture(euros(2900)))
    story.hears(captured(euros(2900))).is_in("shipping", "the rest to be shipped")
    story.hears(delivered(final=False)).asks().is_in("shipping", "the rest to be shipped")
    story.hears(rest).asks(dispatch(OTHER_SKU, 1, OTHER_SHIPMENT_ID), capture(euros(3900), OTHER_SHIPMENT_ID))
    story.hears(delivered(OTHER_SHIPMENT_ID)).asks().is_in("capturing", "the money for a shipment")
    story.hears(captured(euros(3900), OTHER_SHIPMENT_ID)).asks(COMPLETE)


def test_short_stock_cancels_the_order() -> None:
    story = after(placed(), short()).asks(cancel("out_of_stock"))
    story.is_in("cancelling", "the cancellation to be recorded")


def test_a_second_short_line_cancels_no_second_time() -> None:
    after(placed(), short(), short(1, 0, sku=OTHER_SKU)).asks()


def test_a_declined_payment_cancels_the_order() -> None:
    after(placed(), *BOTH_RESERVED, requested(), declined()).asks(cancel("payment_declined"))


def test_a_cancelled_order_gives_back_every_line_it_asked_for() -> None:
    story = after(placed(), short(), cancelled(reason="out_of_stock")).asks(RELEASE, RELEASE_OTHER)
    story.is_in("cancelling", "2 lines to be released")


def test_a_cancelled_order_voids_its_payment() -> None:
    story = after(*TO_CONFIRMED, cancelled(confirmed=True)).asks(RELEASE, RELEASE_OTHER, VOID)
    story.is_in("cancelling", "2 lines to be released and the payment to be voided")


def test_a_declined_payment_needs_no_void() -> None:
    story = after(placed(), *BOTH_RESERVED, requested(), declined(), cancelled(reason="payment_declined"))
    story.asks(RELEASE, RELEASE_OTHER)


def test_a_cancelled_order_ends_when_everything_was_given_back() -> None:
    story = after(*TO_CONFIRMED, cancelled(confirmed=True), released())
    story.is_in("cancelling", "1 line to be released and the payment to be voided")
    story.hears(released(1, sku=OTHER_SKU)).is_in("cancelling", "the payment to be voided")
    assert story.hears(voided()).asks().is_in("cancelled").known.ended


def test_a_decline_closes_the_payment_of_a_cancelled_order_as_well_as_a_void() -> None:
    story = after(placed(), *BOTH_RESERVED, requested(), cancelled(), *BOTH_RELEASED)
    story.hears(declined()).asks().is_in("cancelled")


def test_a_refused_capture_needs_a_person() -> None:
    story = after(*TO_CONFIRMED, shipped(), capture_refused()).asks()
    story.is_in("attention", "a person: 1 capture refused")


def test_money_that_comes_in_the_end_makes_up_for_a_refused_capture() -> None:
    after(*TO_CONFIRMED, shipped(), capture_refused(), captured()).is_in("delivering", "the delivery")


def test_a_requested_refund_is_paid_out_by_the_acquirer() -> None:
    after(*TO_COMPLETED, refund_requested()).asks(REFUND).is_in("refunding", "1 refund to be paid")


@pytest.mark.parametrize("answer", [refunded(), refund_refused()])
def test_an_answered_refund_ends_the_process_again(answer: Event) -> None:
    after(*TO_COMPLETED, refund_requested(), answer).asks().is_in("completed")


def test_a_refund_before_the_delivery_does_not_keep_the_order_from_completing() -> None:
    story = after(*TO_CONFIRMED, shipped(), captured(), refund_requested(), delivered()).asks(COMPLETE)
    story.hears(refunded()).is_in("completing", "the completion to be recorded")


def test_the_customer_is_told_when_the_order_is_confirmed() -> None:
    story = after(*TO_CONFIRMED)
    [mail] = story.mails
    assert mail == NotifyCustomer(order_id=ORDER_ID, template="order_confirmed", event_id=story.event_id)


def test_the_customer_is_told_why_the_order_was_cancelled() -> None:
    story = after(placed(), short(), cancelled(reason="out_of_stock"))
    [mail] = story.mails
    assert (mail.template, mail.reason, mail.event_id) == ("order_cancelled", "out_of_stock", story.event_id)


def test_the_customer_is_told_what_was_shipped() -> None:
    story = after(*TO_CONFIRMED, shipped(a_pick(), final=False))
    [mail] = story.mails
    assert (mail.template, mail.picks, mail.event_id) == ("order_shipped", (a_pick(),), story.event_id)


def test_the_customer_is_told_only_of_the_last_delivery() -> None:
    story = after(*TO_CONFIRMED, shipped(a_pick(), final=False), delivered(final=False))
    assert story.mails == []
    story.hears(shipped(a_pick(OTHER_SKU, 1), shipment_id=OTHER_SHIPMENT_ID), delivered(OTHER_SHIPMENT_ID))
    assert [mail.template for mail in story.mails] == ["order_delivered"]


def test_the_customer_is_told_how_much_was_refunded() -> None:
    story = after(*TO_COMPLETED, refund_requested(euros(500)), refunded(euros(500)))
    [mail] = story.mails
    assert (mail.template, mail.amount, mail.event_id) == ("payment_refunded", euros(500), story.event_id)


@pytest.mark.parametrize("event", [listed(), received(), adjusted(), placed()])
def test_what_concerns_no_order_or_was_said_before_changes_nothing(event: Event) -> None:
    story = after(placed())
    before = story.process
    assert story.hears(event).asks().process == before


@pytest.mark.parametrize("event", [reserved(), confirmed(), authorised(), listed()])
def test_events_of_an_unknown_order_begin_no_process(event: Event) -> None:
    assert react(None, recorded(event), now=NOON, deadlines=DEADLINES) == Reaction(None)


def test_an_order_of_one_line_needs_only_that_line() -> None:
    after(placed(a_line(SKU)), reserved()).is_in("paying", "the payment to be authorised")


def test_a_released_line_is_released_again_when_it_turns_out_to_be_reserved() -> None:
    story = after(placed(), cancelled(), *BOTH_RELEASED).is_in("cancelled")
    story.hears(reserved()).asks(RELEASE).is_in("cancelling", "1 line to be released")
    story.hears(released()).is_in("cancelled")


def test_the_reaction_names_the_deadline_that_replaces_the_one_before() -> None:
    reaction = react(None, recorded(placed()), now=NOON, deadlines=DEADLINES)
    assert reaction.deadline == NOON + DEADLINES.stock
    assert Reaction(None).deadline is None


@pytest.mark.parametrize("event", [reserved(), placed(), requested()])
def test_every_event_about_an_order_finds_its_process(event: Event) -> None:
    assert order_of(recorded(event)) == ORDER_ID


@pytest.mark.parametrize("event", [listed(), received(), adjusted()])
def test_events_about_no_order_find_no_process(event: Event) -> None:
    assert order_of(recorded(event)) is None
