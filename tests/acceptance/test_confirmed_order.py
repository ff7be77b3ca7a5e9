"""One order with several lines, looked at from every side that the platform shows."""

import json
from dataclasses import dataclass
from uuid import UUID

import pytest

from infra.client import Json
from tests.acceptance.driver import Person, Shop
from tests.running import until


@dataclass(frozen=True, slots=True)
class Placed:
    order_id: UUID
    answer: Json
    location: str
    customer: Person
    skus: tuple[str, str]
    detail: Json


@pytest.fixture(scope="module")
def placed(shop: Shop) -> Placed:
    skus = (shop.product(price=950, stock=10, name="Sidama"), shop.product(price=1_400, stock=10, name="Mug"))
    customer = shop.customer()
    body: Json = {
        "contact": {"name": "Sadie Whitcombe", "email": "sadie@mail.example", "address": "19 Orchard Close, Exeter"},
        "lines": [{"sku": skus[0], "quantity": 2}, {"sku": skus[1], "quantity": 1}],
        "payment_token": "tok_visa",
    }
    answer = customer.post("/v1/orders", body)
    assert answer.status_code == 201, answer.text
    order_id = UUID(answer.json()["order_id"])
    detail = customer.until_status(order_id, "confirmed")
    return Placed(order_id, answer.json(), answer.headers["location"], customer, skus, detail)


def test_placing_answers_with_where_the_order_can_be_read(placed: Placed) -> None:
    assert placed.location == f"{placed.customer.ready.query_url}/v1/orders/{placed.order_id}"
    assert placed.answer["status"] == "placed"
    assert placed.answer["total"] == {"amount": 3_300, "currency": "EUR"}


def test_it_is_confirmed_and_its_payment_authorised(placed: Placed) -> None:
    assert placed.detail["payment"]["status"] == "authorised"
    assert placed.detail["payment"]["authorised"] == 3_300


def test_the_timeline_tells_everything_in_order(placed: Placed) -> None:
    timeline = placed.customer.get(f"/v1/orders/{placed.order_id}/timeline")["items"]
    assert [entry["kind"] for entry in timeline] == [
        "order.placed.v2",
        "stock.reserved.v1",
        "stock.reserved.v1",
        "payment.requested.v1",
        "payment.authorised.v1",
        "order.confirmed.v1",
    ]


def test_every_event_carries_the_correlation_of_the_request(placed: Placed) -> None:
    timeline = placed.customer.get(f"/v1/orders/{placed.order_id}/timeline")["items"]
    assert len({entry["correlation_id"] for entry in timeline}) == 1


def test_it_is_in_the_list_and_found_by_a_word(shop: Shop, placed: Placed) -> None:
    found = shop.staff.get("/v1/orders", q=f"whitcombe {placed.order_id}")["items"]
    assert [row["order_id"] for row in found] == [str(placed.order_id)]


def test_it_is_in_the_customer_s_history(shop: Shop, placed: Placed) -> None:
    customer_id = placed.detail["customer_id"]
    assert shop.staff.get(f"/v1/customers/{customer_id}")["orders"] == 1
    rows = shop.staff.get(f"/v1/customers/{customer_id}/orders")["items"]
    assert [row["order_id"] for row in rows] == [str(placed.order_id)]


def test_its_stock_is_set_aside(shop: Shop, placed: Placed) -> None:
    assert [shop.stock(sku) for sku in placed.skus] == [(10, 2), (10, 1)]


def test_it_is_in_the_sales_of_its_products(shop: Shop, placed: Placed) -> None:
    def sold(sku: str) -> list[tuple[int, int]]:
        rows = shop.staff.get("/v1/sales/products", sku=sku)["items"]
        return [(row["quantity"], row["revenue"]) for row in rows]

    until(lambda: [sold(sku) for sku in placed.skus] == [[(2, 1_900)], [(1, 1_400)]] or None)


def test_it_is_on_the_dashboard(shop: Shop, placed: Placed) -> None:
    recent = {row["order_id"]: row["status"] for row in shop.staff.get("/v1/dashboard")["recent_orders"]}
    assert recent[str(placed.order_id)] == "confirmed"


def test_its_process_waits_for_the_shipment(shop: Shop, placed: Placed) -> None:
    entries = shop.staff.get("/v1/processes", phase="awaiting_shipment", limit=200)["items"]
    assert str(placed.order_id) in {entry["order_id"] for entry in entries}


def test_it_is_on_the_page(shop: Shop, placed: Placed) -> None:
    assert str(placed.order_id) in shop.http.get(f"{shop.ready.query_url}/").text
    assert "Sadie Whitcombe" in shop.http.get(f"{shop.ready.query_url}/orders/{placed.order_id}").text


def test_one_mail_in_english_tells_the_customer(shop: Shop, placed: Placed) -> None:
    (mail,) = shop.until_mails(placed.order_id, 1)
    assert mail["to"] == "sadie@mail.example"
    assert mail["subject"] == "Your order is confirmed"
    assert "Sidama" in shop.open_mail(mail)["text"]


def test_a_portuguese_customer_is_told_in_portuguese(shop: Shop) -> None:
    order_id = shop.customer().place([(shop.product(), 1)], locale="pt")
    (mail,) = shop.until_mails(order_id, 1)
    assert mail["subject"] == "A sua encomenda está confirmada"


def test_the_acquirer_holds_the_total_once(shop: Shop, placed: Placed) -> None:
    assert shop.ledger(placed.order_id) == [("authorise", 3_300)]


def test_a_reader_who_names_the_position_reads_the_own_write_at_once(shop: Shop) -> None:
    customer = shop.customer()
    sku = shop.product()
    placed = customer.done("/v1/orders", _body(sku))
    answer = customer.ask(f"/v1/orders/{placed['order_id']}", min_position=placed["position"])
    assert answer.status_code == 200
    assert int(answer.headers["x-position"]) >= placed["position"]


def test_a_listener_hears_of_the_confirmation(shop: Shop) -> None:
    customer, sku = shop.customer(), shop.product()
    headers = {"authorization": f"Bearer {customer.token}"}
    with shop.http.stream("GET", f"{shop.ready.query_url}/v1/stream", headers=headers) as stream:
        lines = stream.iter_lines()
        next(lines)
        order_id = customer.place([(sku, 1)])
        told = (json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: "))
        change = next(change for change in told if change["status"] == "confirmed")
    assert change["order_id"] == str(order_id)


def _body(sku: str) -> Json:
    return {
        "contact": {"name": "Owen", "email": "owen@mail.example", "address": "3 Chapel Row"},
        "lines": [{"sku": sku, "quantity": 1}],
        "payment_token": "tok_visa",
    }
