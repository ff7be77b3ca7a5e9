"""How an order ends: refused, cancelled, shipped in parts, delivered, refunded."""

import pytest

from tests.acceptance.driver import Shop
from tests.running import until


@pytest.mark.parametrize("token", ["tok_declined", "tok_insufficient_funds", "tok_expired_card"])
def test_a_declined_card_cancels_the_order_and_tells_the_customer(shop: Shop, token: str) -> None:
    sku = shop.product(stock=5)
    order_id = shop.customer().place([(sku, 2)], card=token)
    cancelled = shop.staff.until_status(order_id, "cancelled")
    assert cancelled["cancel_reason"] == "payment_declined"
    shop.until_stock(sku, (5, 0))
    (mail,) = shop.until_mails(order_id, 1)
    assert mail["subject"] == "Your order was cancelled"
    assert shop.ledger(order_id) == []


def test_an_order_short_of_stock_is_cancelled_and_its_other_lines_are_released(shop: Shop) -> None:
    plenty, scarce = shop.product(stock=50), shop.product(stock=1)
    order_id = shop.customer().place([(plenty, 3), (scarce, 2)])
    cancelled = shop.staff.until_status(order_id, "cancelled")
    assert cancelled["cancel_reason"] == "out_of_stock"
    shop.until_stock(plenty, (50, 0))
    shop.until_stock(scarce, (1, 0))
    assert len(shop.until_mails(order_id, 1)) == 1
    assert shop.ledger(order_id) == []


def test_a_customer_who_cancels_gets_stock_released_payment_voided_and_a_mail(shop: Shop) -> None:
    customer, sku = shop.customer(), shop.product(price=700, stock=5)
    order_id = customer.place([(sku, 1)])
    customer.until_status(order_id, "confirmed")
    customer.done(f"/v1/orders/{order_id}/cancellation")
    ended = customer.until_order(order_id, enough=lambda order: order["payment"]["status"] == "voided")
    assert (ended["status"], ended["cancel_reason"]) == ("cancelled", "customer_request")
    shop.until_stock(sku, (5, 0))
    assert shop.ledger(order_id) == [("authorise", 700), ("void", 700)]
    assert [mail["subject"] for mail in shop.until_mails(order_id, 2)] == [
        "Your order is confirmed",
        "Your order was cancelled",
    ]


def test_staff_can_cancel_any_order(shop: Shop) -> None:
    order_id = shop.customer().place([(shop.product(), 1)])
    shop.staff.until_status(order_id, "confirmed")
    shop.staff.done(f"/v1/orders/{order_id}/cancellation", {"reason": "staff_decision"})
    assert shop.staff.until_status(order_id, "cancelled")["cancel_reason"] == "staff_decision"


def test_an_order_shipped_in_two_parts_is_captured_per_part_and_completed(shop: Shop) -> None:
    first, second = shop.product(price=1_000, stock=5), shop.product(price=300, stock=5)
    order_id = shop.customer().place([(first, 1), (second, 2)])
    shop.staff.until_status(order_id, "confirmed")
    path = f"/v1/orders/{order_id}/shipments"
    part = shop.staff.done(path, {"carrier": "Correio", "lines": [{"sku": first, "quantity": 1}]})
    shop.staff.until_order(order_id, enough=lambda order: order["payment"]["captured"] == 1_000)
    rest = shop.staff.done(path, {"carrier": "Correio", "tracking": "CX-2"})
    shop.staff.until_order(order_id, enough=lambda order: order["payment"]["captured"] == 1_600)
    for shipment in (part, rest):
        shop.staff.done(f"{path}/{shipment['shipment_id']}/delivery")
    shop.staff.until_status(order_id, "completed")
    assert sorted(shop.ledger(order_id)) == [("authorise", 1_600), ("capture", 600), ("capture", 1_000)]
    shop.until_stock(first, (4, 0))
    shop.until_stock(second, (3, 0))
    assert [mail["subject"] for mail in shop.until_mails(order_id, 4)] == [
        "Your order is confirmed",
        "Part of your order is on its way",
        "Your order is on its way",
        "Your order has arrived",
    ]


def test_a_refund_after_delivery_is_paid_and_told(shop: Shop) -> None:
    order_id = shop.customer().place([(shop.product(price=2_500), 1)])
    shop.staff.until_status(order_id, "confirmed")
    shipped = shop.staff.done(f"/v1/orders/{order_id}/shipments", {"carrier": "Correio"})
    shop.staff.done(f"/v1/orders/{order_id}/shipments/{shipped['shipment_id']}/delivery")
    shop.staff.until_status(order_id, "completed")
    amount = {"amount": 900, "currency": "EUR"}
    shop.staff.done(f"/v1/orders/{order_id}/refunds", {"amount": amount, "reason": "damaged"})
    refunded = shop.staff.until_order(order_id, enough=lambda order: order["payment"]["refunded"] == 900)
    assert refunded["payment"]["status"] == "partly_refunded"
    assert shop.ledger(order_id) == [("authorise", 2_500), ("capture", 2_500), ("refund", 900)]
    assert len(shop.until_mails(order_id, 4)) == 4


@pytest.mark.parametrize("token", ["tok_lost_answer", "tok_timeout", "tok_flaky"])
def test_an_acquirer_in_trouble_charges_exactly_once(shop: Shop, token: str) -> None:
    order_id = shop.customer().place([(shop.product(price=1_234), 1)], card=token)
    shop.staff.until_status(order_id, "confirmed")
    assert shop.ledger(order_id) == [("authorise", 1_234)]


def test_an_order_that_ended_leaves_the_board_of_open_processes(shop: Shop) -> None:
    order_id = shop.customer().place([(shop.product(), 1)], card="tok_declined")

    def ended() -> bool | None:
        rows = shop.staff.get("/v1/processes", ended="true", limit=200)["items"]
        return str(order_id) in {row["order_id"] for row in rows} or None

    assert until(ended)
