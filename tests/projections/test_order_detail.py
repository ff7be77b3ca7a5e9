from base64 import b64decode

from pydantic_core import to_json

from projections.order_detail import ORDER_DETAILS
from schemas.views import OrderDetail
from tests.projections.projecting import project
from tests.projections.story import Fate, an_id, euros, told

ORDER_ID = an_id("order", 0)


def detail_of(fate: Fate, *, until: str = "nothing") -> OrderDetail:
    """The row of an order of 2 x 1000 and 1 x 1500; `until` names the event after which the story stops."""
    log = told(fate)
    kinds = [stored.topic for stored in log]
    end = kinds.index(until) + 1 if until in kinds else len(log)
    return project(ORDER_DETAILS, log[:end])[(ORDER_ID,)]


def test_a_placed_order_keeps_its_contact_sealed_and_shows_its_lines() -> None:
    row = detail_of("delivered", until="order.placed.v2")
    assert row.sealed is not None
    assert b"1 Bean Street" in b64decode(row.sealed.box)
    assert row.contact is None
    assert [(line.sku, line.quantity, line.unit_price) for line in row.lines] == [
        ("ESP-250", 2, 1000),
        ("FIL-1000", 1, 1500),
    ]
    assert row.total == euros(3500)


def test_each_step_of_an_order_has_its_instant() -> None:
    row = detail_of("delivered")
    assert row.confirmed_at is not None
    assert row.delivered_at is not None
    assert row.completed_at is not None
    assert row.placed_at < row.confirmed_at < row.delivered_at < row.completed_at == row.updated_at


def test_a_cancelled_order_says_why_and_when() -> None:
    row = detail_of("cancelled")
    assert (row.status, row.cancel_reason) == ("cancelled", "customer_request")
    assert row.cancelled_at is not None


def test_what_was_shipped_is_counted_per_line() -> None:
    row = detail_of("in_parts", until="order.shipped.v1")
    assert [(line.shipped, line.delivered) for line in row.lines] == [(2, 0), (0, 0)]


def test_what_was_delivered_is_counted_per_line() -> None:
    row = detail_of("in_parts", until="order.delivered.v1")
    assert [(line.shipped, line.delivered) for line in row.lines] == [(2, 2), (0, 0)]


def test_every_shipment_shows_its_own_delivery() -> None:
    row = detail_of("in_parts")
    assert [(shipment.carrier, shipment.amount) for shipment in row.shipments] == [
        ("Post", euros(2000)),
        ("Post", euros(1500)),
    ]
    assert all(shipment.delivered_at and shipment.delivered_at > shipment.shipped_at for shipment in row.shipments)
    assert row.shipments[0].delivered_at != row.shipments[1].delivered_at


def test_a_refused_capture_shows_until_one_succeeds() -> None:
    refused = detail_of("in_parts", until="payment.capture_refused.v1")
    assert refused.payment.capture_refusal_code == "try_again"
    assert detail_of("in_parts").payment.capture_refusal_code is None


def test_a_declined_payment_says_why() -> None:
    assert detail_of("declined").payment.decline_code == "insufficient_funds"


def test_a_decline_says_what_the_customer_can_do() -> None:
    assert detail_of("declined").payment.decline_kind == "funds"


def test_a_row_of_before_has_no_kind_and_is_read_all_the_same() -> None:
    row = detail_of("declined")
    before = row.model_dump(mode="json", exclude={"payment": {"decline_kind"}, "total": True})
    read = OrderDetail.model_validate_json(to_json({**before, "total_amount": 3500, "currency": "EUR"}))
    assert read.payment == row.payment.model_copy(update={"decline_kind": None})


def test_a_requested_refund_is_under_way() -> None:
    refund = detail_of("refunded", until="payment.refund_requested.v1").payment.refunds[0]
    assert (refund.amount, refund.reason, refund.status) == (euros(1), "goodwill", "requested")


def test_only_the_refund_that_was_made_is_made() -> None:
    payment = detail_of("refunded").payment
    assert [refund.status for refund in payment.refunds] == ["refunded", "refunded"]
    assert (payment.captured, payment.refunded) == (3500, 3500)


def test_a_refused_refund_says_why() -> None:
    first, second = detail_of("refund_refused").payment.refunds
    assert (first.status, first.refusal_code, second.status) == ("refused", "too_late", "refused")


def test_the_payment_survives_the_late_arrival_of_its_order() -> None:
    log = told("delivered")
    late = sorted(log, key=lambda stored: stored.category == "order")
    assert project(ORDER_DETAILS, late) == project(ORDER_DETAILS, log)


def test_the_contact_is_hidden_from_tracebacks() -> None:
    assert "Bean Street" not in repr(detail_of("delivered"))
