"""What a caller may rely on: prices, repeats, versions, and that nobody sees another's byte."""

from uuid import uuid4

import httpx
import pytest

from tests.acceptance.driver import Shop, order_body


@pytest.fixture(scope="module")
def other_shop(shop: Shop) -> Shop:
    return Shop(shop.http, shop.ready, "another-shop")


def _body(sku: str) -> dict[str, object]:
    return order_body([(sku, 1)], card="tok_visa", locale="en", email="nora@mail.example")


def test_an_order_pays_the_catalogue_price_of_its_moment(shop: Shop) -> None:
    sku = shop.product(price=1_000)
    before = shop.customer().place([(sku, 1)])
    shop.staff.done(f"/v1/products/{sku}/price", {"price": {"amount": 1_100, "currency": "EUR"}})
    after = shop.customer().place([(sku, 1)])
    orders = [shop.staff.until_status(order_id, "confirmed") for order_id in (before, after)]
    assert [order["total"]["amount"] for order in orders] == [1_000, 1_100]


def test_a_price_of_the_client_s_own_is_refused(shop: Shop) -> None:
    body = _body(shop.product())
    body["total"] = {"amount": 1, "currency": "EUR"}
    assert shop.customer().post("/v1/orders", body).status_code == 422


def test_the_same_request_again_gets_the_same_answer_and_changes_nothing(shop: Shop) -> None:
    customer, sku, key = shop.customer(), shop.product(stock=5), str(uuid4())
    first, again = (customer.post("/v1/orders", _body(sku), key=key) for _ in range(2))
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert again.headers["idempotency-replayed"] == "true"
    customer.until_status(first.json()["order_id"], "confirmed")
    assert shop.stock(sku) == (5, 1)


def test_the_same_key_for_another_request_is_refused(shop: Shop) -> None:
    customer, key = shop.customer(), str(uuid4())
    customer.post("/v1/orders", _body(shop.product()), key=key)
    assert customer.post("/v1/orders", _body(shop.product()), key=key).status_code == 422


def test_another_caller_s_key_is_independent(shop: Shop) -> None:
    sku, key = shop.product(), str(uuid4())
    answers = [shop.customer().post("/v1/orders", _body(sku), key=key).json() for _ in range(2)]
    assert answers[0]["order_id"] != answers[1]["order_id"]


def test_a_stale_version_is_refused(shop: Shop) -> None:
    sku = shop.product()
    price = {"price": {"amount": 999, "currency": "EUR"}}
    changed = shop.staff.post(f"/v1/products/{sku}/price", price, if_match='"1"')
    stale = shop.staff.post(f"/v1/products/{sku}/price", price, if_match='"1"')
    assert (changed.status_code, changed.headers["etag"], stale.status_code) == (200, '"2"', 412)


def test_an_unchanged_order_is_not_sent_again(shop: Shop, http: httpx.Client) -> None:
    customer = shop.customer()
    order_id = customer.place([(shop.product(), 1)])
    customer.until_status(order_id, "confirmed")
    url, headers = f"{shop.ready.query_url}/v1/orders/{order_id}", {"authorization": f"Bearer {customer.token}"}
    seen = http.get(url, headers=headers)
    assert http.get(url, headers={**headers, "if-none-match": seen.headers["etag"]}).status_code == 304


def test_another_tenant_s_order_looks_like_one_that_never_was(shop: Shop, other_shop: Shop) -> None:
    order_id = shop.customer().place([(shop.product(), 1)])
    shop.staff.until_status(order_id, "confirmed")
    foreign = other_shop.staff.ask(f"/v1/orders/{order_id}")
    unknown = other_shop.staff.ask(f"/v1/orders/{uuid4()}")
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert {**foreign.json(), "instance": ""} == {**unknown.json(), "instance": ""}


def test_another_tenant_cannot_cancel_an_order(shop: Shop, other_shop: Shop) -> None:
    order_id = shop.customer().place([(shop.product(), 1)])
    assert other_shop.staff.post(f"/v1/orders/{order_id}/cancellation").status_code == 404
    assert shop.staff.until_status(order_id, "confirmed")["cancel_reason"] is None


def test_another_tenant_cannot_order_a_product(shop: Shop, other_shop: Shop) -> None:
    answer = other_shop.customer().post("/v1/orders", _body(shop.product()))
    assert answer.status_code in {404, 409}


def test_lists_of_another_tenant_hold_nothing_of_ours(shop: Shop, other_shop: Shop) -> None:
    sku = shop.product()
    order_id = shop.customer().place([(sku, 1)])
    shop.staff.until_status(order_id, "confirmed")
    for path in ("/v1/orders", "/v1/products", "/v1/stock", "/v1/processes", "/v1/dashboard", "/v1/sales/products"):
        told = other_shop.staff.ask(path).text
        assert sku not in told
        assert str(order_id) not in told


def test_a_customer_sees_no_other_customer_s_order(shop: Shop) -> None:
    order_id = shop.customer().place([(shop.product(), 1)])
    shop.staff.until_status(order_id, "confirmed")
    assert shop.customer().ask(f"/v1/orders/{order_id}").status_code == 404
    assert shop.customer().get("/v1/orders")["items"] == []
