from uuid import UUID, uuid4

import pytest

from schemas.events.order import OrderPlaced
from schemas.recorded import GENESIS, digest
from tests.edges.write.shop import COFFEE, CONTACT, Shop, an_order

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]


async def test_a_placed_order_is_answered_with_where_to_read_it(shop: Shop) -> None:
    await shop.sell_coffee()
    placed = await shop.post("/v1/orders", an_order(quantity=2))
    body = placed.json()
    assert placed.status_code == 201
    assert placed.headers["location"] == f"https://query.example/v1/orders/{body['order_id']}"
    assert placed.headers["etag"] == '"1"'
    assert (body["version"], body["status"], body["total"]) == (1, "placed", {"amount": 2500, "currency": "EUR"})
    assert body["position"] == (await shop.events())[-1].position


async def test_an_order_records_the_price_and_version_of_the_catalogue(shop: Shop) -> None:
    await shop.sell_coffee()
    await shop.post("/v1/products/COFFEE/price", {"price": {"amount": 1300, "currency": "EUR"}})
    await shop.post("/v1/orders", an_order(quantity=1))
    placed = (await shop.events())[-1].recorded.event
    assert isinstance(placed, OrderPlaced)
    (line,) = placed.lines
    assert (line.unit_price, line.product_version, line.name) == (1300, 2, COFFEE["name"])


async def test_an_event_carries_who_asked_and_in_which_request(shop: Shop) -> None:
    request_id = uuid4()
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await shop.sell_coffee()
    headers = {
        "authorization": f"Bearer {shop.token}",
        "idempotency-key": "traced",
        "x-request-id": str(request_id),
        "traceparent": parent,
    }
    await shop.client.post("/v1/orders", json=an_order(), headers=headers)
    recorded = (await shop.events())[-1].recorded
    assert (recorded.actor, recorded.tenant_id, recorded.category) == ("user:ana", shop.tenant_id, "order")
    assert (recorded.trace.correlation_id, recorded.trace.causation_id) == (request_id, request_id)
    assert recorded.trace.traceparent == parent


async def test_every_event_is_chained_to_the_bytes_before_it(shop: Shop) -> None:
    await shop.sell_coffee()
    await shop.post("/v1/products/COFFEE/price", {"price": {"amount": 1300, "currency": "EUR"}})
    await shop.post("/v1/products/COFFEE/retirement")
    events = await shop.events()
    assert [stored.recorded.prev for stored in events] == [GENESIS, digest(events[0].state), digest(events[1].state)]


async def test_an_unknown_product_is_refused_and_leaves_nothing(shop: Shop) -> None:
    refused = await shop.post("/v1/orders", an_order())
    assert (refused.status_code, refused.json()["type"]) == (404, "/problems/product-not-found")
    assert await shop.events() == []


async def test_a_retired_product_is_refused(shop: Shop) -> None:
    await shop.sell_coffee()
    await shop.post("/v1/products/COFFEE/retirement")
    refused = await shop.post("/v1/orders", an_order())
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/product-off-sale")


async def test_another_tenants_product_is_unknown(shop: Shop) -> None:
    await shop.sell_coffee()
    elsewhere = shop.as_("ana", tenant_id=f"{shop.tenant_id}-other")
    assert (await elsewhere.post("/v1/orders", an_order())).status_code == 404


async def test_the_same_sku_twice_is_refused(shop: Shop) -> None:
    await shop.sell_coffee()
    line = {"sku": "COFFEE", "quantity": 1}
    refused = await shop.post("/v1/orders", an_order() | {"lines": [line, line]})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/duplicate-sku")


async def test_an_order_goes_its_whole_way(shop: Shop) -> None:
    order_id = await shop.place(quantity=3)
    assert (await shop.post(f"/v1/orders/{order_id}/shipments", {"carrier": "CTT"})).status_code == 409
    cancelled = await shop.post(f"/v1/orders/{order_id}/cancellation", {"reason": "customer_request"})
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert (await shop.topics())[-2:] == ["order.placed.v2", "order.cancelled.v1"]


async def test_the_log_is_the_only_place_that_holds_the_contact(shop: Shop) -> None:
    await shop.place()
    async with shop.runtime.pool.connection() as connection:
        rows = await (await connection.execute("SELECT response FROM idempotency_records")).fetchall()
    responses = b"".join(row[0] for row in rows)
    assert not [text for text in CONTACT.values() if text.encode() in responses]


async def test_stock_is_received_and_corrected(shop: Shop) -> None:
    received = await shop.post("/v1/stock/COFFEE/receipts", {"quantity": 5, "reference": "PO-1"})
    corrected = await shop.post("/v1/stock/COFFEE/adjustments", {"delta": -2, "reason": "damage"})
    assert (received.status_code, received.json()["available"]) == (201, 5)
    assert (corrected.status_code, corrected.json()["available"]) == (200, 3)


async def test_what_is_already_so_is_answered_with_the_present_state_and_no_event(shop: Shop) -> None:
    await shop.sell_coffee()
    first = await shop.post("/v1/products/COFFEE/retirement")
    again = await shop.post("/v1/products/COFFEE/retirement")
    assert (again.status_code, again.content) == (200, first.content)
    assert await shop.topics() == ["product.listed.v1", "product.retired.v1"]


async def test_an_order_of_somebody_else_looks_like_no_order_at_all(shop: Shop) -> None:
    order_id = await shop.place()
    others = [
        shop.as_("bob", "orders:write"),
        shop.as_("ana", tenant_id=f"{shop.tenant_id}-other"),
    ]
    for other in others:
        foreign = await other.post(f"/v1/orders/{order_id}/cancellation")
        unknown = await other.post(f"/v1/orders/{UUID(int=7)}/cancellation")
        assert foreign.status_code == unknown.status_code == 404
        assert _without_instance(foreign.json()) == _without_instance(unknown.json())
        assert dict(foreign.headers) == dict(unknown.headers)
    assert (await shop.topics())[-1] == "order.placed.v2"


def _without_instance(problem: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in problem.items() if name != "instance"}
