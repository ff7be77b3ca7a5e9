"""The past over HTTP: what anything was, what has changed, and points that there are not."""

from datetime import timedelta
from uuid import UUID

import pytest

from schemas.ids import new_id
from tests.edges.query.platform import CUSTOMER, Query, Shop
from tests.examples import (
    NOON,
    SKU,
    authorised,
    confirmed,
    euros,
    listed,
    received,
    repriced,
    requested,
    reserved,
    shipped,
)
from tests.query_api.patching import applied

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

A_STRANGER = UUID("00000000-0000-7000-8000-00000000beef")


async def a_shipped_order(shop: Shop) -> UUID:
    order_id = await shop.placed()
    await shop.tell(requested(order_id=order_id), at=NOON + timedelta(minutes=1))
    await shop.tell(authorised(order_id=order_id), at=NOON + timedelta(minutes=2))
    await shop.tell(confirmed(), order_id=order_id, at=NOON + timedelta(minutes=3))
    await shop.tell(shipped(), order_id=order_id, at=NOON + timedelta(minutes=60))
    return order_id


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"at_version": 1}, "placed"),
        ({"at_version": 2}, "confirmed"),
        ({"as_of": "2026-03-02T12:02:59Z"}, "placed"),
        ({"as_of": "2026-03-02T12:03:00Z"}, "confirmed"),
        ({"as_of": "2026-03-02T13:30:00+01:00"}, "confirmed"),
        ({}, "shipped"),
    ],
    ids=str,
)
async def test_an_order_is_shown_as_it_was(shop: Shop, query: Query, status: str) -> None:
    answer = await shop.get(f"/v1/orders/{await a_shipped_order(shop)}/state", query=query)
    assert answer.json()["state"]["status"] == status


async def test_payments_products_and_stock_have_a_past_too(shop: Shop) -> None:
    order_id = await a_shipped_order(shop)
    for event in (listed(euros(1450)), repriced(euros(1550)), received(10), reserved(2, order_id)):
        await shop.tell(event)
    one = {"at_version": 1}
    payment = (await shop.get(f"/v1/payments/{order_id}/state", query=one)).json()
    product = (await shop.get(f"/v1/products/{SKU}/state", query=one)).json()
    stock = (await shop.get(f"/v1/stock/{SKU}/state", query=one)).json()
    assert payment["state"]["status"] == "requested"
    assert product["state"]["price"]["amount"] == 1450
    assert (stock["state"]["on_hand"], stock["state"]["reserved"], stock["at"]["version"]) == (10, 0, 1)


async def test_a_difference_is_a_patch_and_says_what_it_does(shop: Shop) -> None:
    path = f"/v1/orders/{await a_shipped_order(shop)}"
    before = (await shop.get(f"{path}/state", query={"at_version": 1})).json()
    difference = (await shop.get(f"{path}/diff", query={"from_version": 1})).json()
    assert applied(before["state"], difference["patch"]) == (await shop.get(f"{path}/state")).json()["state"]
    assert "The status changed from placed to shipped." in difference["sentences"]
    assert (difference["before"]["version"], difference["after"]["version"]) == (1, 3)


async def test_nothing_has_changed_between_a_point_and_itself(shop: Shop) -> None:
    path = f"/v1/orders/{await a_shipped_order(shop)}/diff"
    query: Query = {"from_version": 2, "to_as_of": "2026-03-02T12:30:00Z"}
    difference = (await shop.get(path, query=query)).json()
    assert (difference["patch"], difference["sentences"]) == ([], [])


@pytest.mark.parametrize(
    ("query", "status", "kind"),
    [
        ({"at_version": 4}, 404, "version-not-reached"),
        ({"at_version": 2**31 - 1}, 404, "version-not-reached"),
        ({"as_of": "2026-03-02T11:59:59Z"}, 404, "not-yet-begun"),
        ({"at_version": 0}, 422, "invalid"),
        ({"at_version": -1}, 422, "invalid"),
        ({"at_version": 2**31}, 422, "invalid"),
        ({"at_version": "two"}, 422, "invalid"),
        ({"as_of": "yesterday"}, 422, "invalid"),
        ({"as_of": "2999-01-01T00:00:00Z"}, 422, "invalid"),
        ({"as_of": "2026-03-02T12:00:00"}, 422, "invalid"),
        ({"at_version": 1, "as_of": "2026-03-02T12:00:00Z"}, 422, "invalid"),
    ],
    ids=str,
)
async def test_a_point_that_there_is_not_is_refused(shop: Shop, query: Query, status: int, kind: str) -> None:
    answer = await shop.get(f"/v1/orders/{await a_shipped_order(shop)}/state", query=query)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}")


@pytest.mark.parametrize(
    "query", [{}, {"to_version": 1}, {"from_version": 1, "from_as_of": "2026-03-02T12:00:00Z"}], ids=str
)
async def test_a_difference_needs_one_beginning(shop: Shop, query: Query) -> None:
    answer = await shop.get(f"/v1/orders/{await shop.placed()}/diff", query=query)
    assert answer.status_code == 422


@pytest.mark.parametrize("path", ["orders/nothing", "payments/nothing", "stock/lower", "nothing/x", "products/%00"])
async def test_what_can_be_no_key_is_refused(shop: Shop, path: str) -> None:
    assert (await shop.get(f"/v1/{path}/state")).status_code == 422


@pytest.mark.parametrize("path", ["/v1/orders/{}/state", "/v1/payments/{}/state", "/v1/orders/{}/diff"])
async def test_a_foreign_order_looks_like_an_unknown_one(shop: Shop, rival: Shop, path: str) -> None:
    foreign, of_a_stranger = await rival.placed(), await shop.placed(customer_id=A_STRANGER)
    for order_id in (foreign, of_a_stranger):
        await rival.tell(requested(order_id=order_id))
    query: Query = {"at_version": 9} if path.endswith("state") else {"from_as_of": "2000-01-01T00:00:00Z"}
    said = [
        (answer.status_code, {**answer.json(), "instance": ""}, sorted(answer.headers))
        for order_id in (foreign, of_a_stranger, new_id())
        for answer in [await shop.get(path.format(order_id), "orders:read", subject=CUSTOMER, query=query)]
    ]
    assert said[0][0] == 404
    assert said[0] == said[1] == said[2]


async def test_a_payment_that_was_never_asked_for_is_not_found(shop: Shop) -> None:
    answer = await shop.get(f"/v1/payments/{await shop.placed()}/state")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/payment-not-found")


async def test_the_shelf_of_another_tenant_is_not_found(shop: Shop, rival: Shop) -> None:
    await rival.tell(received())
    answer = await shop.get(f"/v1/stock/{SKU}/state", query={"min_position": 0})
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/stock-not-found")


async def test_a_customer_is_not_shown_stock(shop: Shop) -> None:
    await shop.tell(received())
    answer = await shop.get(f"/v1/stock/{SKU}/state", "orders:read", subject=CUSTOMER)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")


async def test_nothing_personal_is_shown(shop: Shop) -> None:
    answer = await shop.get(f"/v1/orders/{await shop.placed(name='Zoë Personal')}/state")
    assert "Zo" not in answer.text
    assert "example.com" not in answer.text
