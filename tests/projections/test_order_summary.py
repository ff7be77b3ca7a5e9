from projections.order_summary import ORDER_SUMMARIES
from schemas.views import OrderSummary
from tests.projections.projecting import project
from tests.projections.story import CUSTOMER, Fate, an_id, euros, told
from tests.vault import TENANTS

ORDER_ID = an_id("order", 0)


def summary_of(fate: Fate, *, until: str = "nothing") -> OrderSummary:
    """The row of an order of 2 x 1000 and 1 x 1500; `until` names the event after which the story stops."""
    log = told(fate)
    kinds = [stored.topic for stored in log]
    end = kinds.index(until) + 1 if until in kinds else len(log)
    return project(ORDER_SUMMARIES, log[:end])[(ORDER_ID,)]


def test_a_placed_order_shows_who_ordered_what_for_how_much() -> None:
    row = summary_of("delivered", until="order.placed.v2")
    assert row.customer_id == CUSTOMER
    assert (row.status, row.payment_status) == ("placed", "none")
    assert (row.total, row.line_count, row.item_count) == (euros(3500), 2, 3)
    assert row.first_line == "Espresso Roast 250 g"
    assert row.placed_at == row.updated_at


def test_an_order_is_found_by_customer_sku_product_and_order_id() -> None:
    words = set(summary_of("delivered", until="order.placed.v2").search_text.split())
    blind = {TENANTS.blind("acme", each) for each in ("zoe", "neil", "nei", "example", "exam", "o")}
    assert {"esp", "250", "filtro", "acai", *str(ORDER_ID).split("-"), *blind} <= words
    assert not {"zoe", "neil", "example"} & words


def test_the_api_does_not_show_columns_that_only_serve_searching_and_sorting() -> None:
    shown = summary_of("delivered").model_dump()
    assert shown["total"] == {"amount": 3500, "currency": "EUR"}
    assert not {"search_text", "total_amount", "currency", "authorised_amount"} & set(shown)


def test_a_confirmed_order_has_its_payment_authorised() -> None:
    row = summary_of("delivered", until="order.confirmed.v1")
    assert (row.status, row.payment_status, row.authorised_amount) == ("confirmed", "authorised", 3500)


def test_an_order_short_of_stock_is_cancelled_for_that_reason() -> None:
    row = summary_of("short")
    assert (row.status, row.cancel_reason, row.payment_status) == ("cancelled", "out_of_stock", "none")


def test_a_declined_payment_shows() -> None:
    assert summary_of("declined").payment_status == "declined"


def test_a_cancelled_order_has_its_payment_voided() -> None:
    row = summary_of("cancelled")
    assert (row.status, row.payment_status) == ("cancelled", "voided")


def test_a_first_of_two_shipments_ships_a_part() -> None:
    row = summary_of("in_parts", until="payment.captured.v1")
    assert (row.status, row.shipped_count, row.payment_status) == ("partly_shipped", 2, "partly_captured")
    assert row.shipped_at is not None


def test_the_delivery_of_a_part_leaves_the_order_undelivered() -> None:
    row = summary_of("in_parts", until="order.delivered.v1")
    assert (row.status, row.delivered_at) == ("partly_shipped", None)


def test_an_order_delivered_in_parts_ends_completed_and_captured() -> None:
    row = summary_of("in_parts")
    assert (row.status, row.shipped_count, row.payment_status) == ("completed", 3, "captured")
    assert row.delivered_at is not None
    assert row.delivered_at <= row.updated_at


def test_the_last_shipment_ships_the_order() -> None:
    assert summary_of("delivered", until="order.shipped.v1").status == "shipped"


def test_the_last_delivery_delivers_the_order() -> None:
    assert summary_of("delivered", until="order.delivered.v1").status == "delivered"


def test_a_first_refund_refunds_a_part() -> None:
    row = summary_of("refunded", until="payment.refunded.v1")
    assert (row.payment_status, row.refunded_amount) == ("partly_refunded", 1)


def test_refunding_everything_shows() -> None:
    assert summary_of("refunded").payment_status == "refunded"


def test_a_refused_refund_leaves_the_payment_captured() -> None:
    assert summary_of("refund_refused").payment_status == "captured"


def test_an_order_known_by_its_payment_alone_is_marked_with_version_0() -> None:
    payments = [stored for stored in told("delivered") if stored.category == "payment"]
    row = project(ORDER_SUMMARIES, payments)[(ORDER_ID,)]
    assert (row.version, row.payment_status, row.total_amount) == (0, "captured", 0)
