from datetime import timedelta
from uuid import UUID

import pytest

from infra.problems import MEDIA_TYPE
from schemas.ids import new_id
from tests.edges.query.platform import CUSTOMER, Query, Shop
from tests.examples import CUSTOMER_ID, NOON, authorised, cancelled, captured, confirmed, euros, requested, shipped

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

A_STRANGER = UUID("00000000-0000-7000-8000-00000000beef")


async def test_an_answer_holds_everything_up_to_the_position_asked_for(shop: Shop) -> None:
    order_id = await shop.placed()
    answer = await shop.get("/v1/orders")
    assert [order["order_id"] for order in answer.json()["items"]] == [str(order_id)]
    assert int(answer.headers["x-position"]) >= shop.position


async def test_events_of_other_kinds_do_not_hold_up_a_view_that_is_not_about_them(shop: Shop) -> None:
    await shop.placed()
    assert (await shop.get("/v1/products")).status_code == 200


async def test_a_view_that_does_not_get_there_in_time_is_said_to_be_behind(shop: Shop) -> None:
    async with shop.platform.runtime.pool.connection() as connection, connection.transaction():
        await connection.execute("LOCK TABLE subscription_positions IN EXCLUSIVE MODE")  # a row may not be there yet
        await shop.placed()
        answer = await shop.get("/v1/orders", query={"wait": 0.05})
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/read-model-behind")
    assert answer.headers["retry-after"] == "1"


async def test_a_position_that_no_write_has_answered_is_refused(shop: Shop) -> None:
    answer = await shop.get("/v1/orders", query={"min_position": 2**62})
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/position-unknown")


async def test_a_customer_sees_only_the_own_orders(shop: Shop) -> None:
    own = await shop.placed()
    await shop.placed(customer_id=A_STRANGER)
    assert await shop.order_ids("orders:read", subject=CUSTOMER) == [own]


async def test_a_customer_who_filters_by_another_customer_sees_nothing(shop: Shop) -> None:
    await shop.placed(customer_id=A_STRANGER)
    assert await shop.order_ids("orders:read", subject=CUSTOMER, query={"customer_id": str(A_STRANGER)}) == []


async def test_staff_sees_every_order_of_the_tenant_and_none_of_another(shop: Shop, rival: Shop) -> None:
    orders = {await shop.placed(), await shop.placed(customer_id=A_STRANGER)}
    await rival.placed()
    assert set(await shop.order_ids("orders:manage", query={"min_position": rival.position})) == orders


@pytest.mark.parametrize("path", ["/v1/orders/{}", "/v1/orders/{}/timeline"])
async def test_a_foreign_order_looks_like_an_unknown_one(shop: Shop, rival: Shop, path: str) -> None:
    foreign = await rival.placed()
    of_a_stranger = await shop.placed(customer_id=A_STRANGER)
    unlike = {"instance"}
    said = [
        (answer.status_code, {k: v for k, v in answer.json().items() if k not in unlike}, sorted(answer.headers))
        for order_id in (foreign, of_a_stranger, new_id())
        for answer in [await shop.get(path.format(order_id), "orders:read", subject=CUSTOMER)]
    ]
    assert said[0][0] == 404
    assert said[0] == said[1] == said[2]


async def test_a_foreign_customer_looks_like_an_unknown_one(shop: Shop) -> None:
    await shop.placed(customer_id=A_STRANGER)
    for path in (f"/v1/customers/{A_STRANGER}", f"/v1/customers/{A_STRANGER}/orders", f"/v1/customers/{new_id()}"):
        answer = await shop.get(path, "orders:read", subject=CUSTOMER)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/customer-not-found")


async def test_a_customers_history_sums_up_what_was_paid_for(shop: Shop) -> None:
    order_id = await shop.placed()
    await shop.tell(requested(order_id=order_id))
    await shop.tell(authorised(order_id=order_id))
    await shop.tell(captured(euros(2900), order_id=order_id))
    answer = await shop.get(f"/v1/customers/{CUSTOMER_ID}", "orders:read", subject=CUSTOMER)
    assert answer.json()["spent"] == [{"amount": 2900, "currency": "EUR"}]
    history = await shop.get(f"/v1/customers/{CUSTOMER_ID}/orders", "orders:read", subject=CUSTOMER)
    assert [order["order_id"] for order in history.json()["items"]] == [str(order_id)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status": "cancelled"}, "cancelled"),
        ({"status": ["cancelled", "confirmed"]}, "cancelled confirmed"),
        ({"payment_status": "requested"}, "confirmed"),
        ({"placed_from": (NOON + timedelta(hours=1)).isoformat()}, "confirmed cancelled"),
        ({"placed_to": (NOON + timedelta(hours=1)).isoformat()}, "placed"),
        ({"q": "zoe"}, "placed"),
        ({"q": "ZOË yirga"}, "placed"),
        ({"q": "nobody"}, ""),
        ({"q": "!!"}, ""),
        ({"customer_id": str(A_STRANGER)}, "cancelled"),
    ],
)
async def test_orders_are_found_by(shop: Shop, query: Query, found: str) -> None:
    names = {await shop.placed(name="Zoë O'Neil"): "placed"}
    names[confirmed_id := await shop.placed(at=NOON + timedelta(hours=1))] = "confirmed"
    names[cancelled_id := await shop.placed(at=NOON + timedelta(hours=2), customer_id=A_STRANGER)] = "cancelled"
    await shop.tell(confirmed(), order_id=confirmed_id)
    await shop.tell(requested(order_id=confirmed_id))
    await shop.tell(cancelled(), order_id=cancelled_id)
    assert {names[order_id] for order_id in await shop.order_ids(query=query)} == set(found.split())


async def test_an_order_is_found_by_the_beginning_of_its_id(shop: Shop) -> None:
    order_id = await shop.placed()
    assert await shop.order_ids(query={"q": str(order_id)[:21]}) == [order_id]


@pytest.mark.parametrize("sort", ["placed_at", "-placed_at", "total", "-total", "updated_at", "-updated_at"])
async def test_pages_follow_one_another_without_repeating_or_skipping(shop: Shop, sort: str) -> None:
    for number in range(7):
        await shop.placed(at=NOON + timedelta(hours=number % 3), price=1000 + number % 2)
    whole = await shop.order_ids(query={"sort": sort})
    paged: list[UUID] = []
    cursor: Query = {}
    for _ in range(4):
        page = (await shop.get("/v1/orders", query={"sort": sort, "limit": 2, **cursor})).json()
        paged += [UUID(order["order_id"]) for order in page["items"]]
        cursor = {"cursor": page["next_cursor"]}
    assert paged == whole
    assert cursor == {"cursor": None}
    assert len(set(whole)) == 7


async def test_orders_are_sorted_by_the_column_asked_for(shop: Shop) -> None:
    for price in (1200, 1100, 1300):
        await shop.placed(price=price)
    items = (await shop.get("/v1/orders", query={"sort": "-total"})).json()["items"]
    assert [order["total"]["amount"] for order in items] == [2600, 2400, 2200]


async def test_the_next_page_is_linked(shop: Shop) -> None:
    await shop.placed()
    await shop.placed()
    first = await shop.get("/v1/orders", query={"limit": 1, "status": "placed"})
    following = await shop.platform.client.get(first.links["next"]["url"], headers=shop.headers())
    assert following.status_code == 200
    assert following.json()["items"][0]["order_id"] != first.json()["items"][0]["order_id"]
    assert "next" not in following.links


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/orders/{}", "/v1/orders/{}/timeline", "/v1/products"])
async def test_what_has_not_changed_is_not_sent_again(shop: Shop, path: str) -> None:
    path = path.format(await shop.placed())
    query: Query = {"story": "false"} if path.endswith("timeline") else {}  # a story changes while others catch up
    first = await shop.get(path, query=query)
    headers = {**shop.headers(), "if-none-match": f'"another", W/{first.headers["etag"]}'}
    again = await shop.platform.client.get(path, params=query, headers=headers)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])


async def test_a_changed_order_is_sent_again(shop: Shop) -> None:
    order_id = await shop.placed()
    first = await shop.get(f"/v1/orders/{order_id}")
    await shop.tell(requested(order_id=order_id))
    assert (await shop.get(f"/v1/orders/{order_id}")).headers["etag"] != first.headers["etag"]


async def test_an_order_is_shown_with_its_lines_payment_and_shipments(shop: Shop) -> None:
    order_id = await shop.placed()
    await shop.tell(confirmed(), order_id=order_id)
    await shop.tell(shipped(), order_id=order_id)
    order = (await shop.get(f"/v1/orders/{order_id}", "orders:read", subject=CUSTOMER)).json()
    assert (order["status"], order["payment"]["status"], len(order["lines"])) == ("shipped", "none", 1)
    assert order["shipments"][0]["carrier"] == "CTT Expresso"
    assert order["contact"]["name"] == "Ana Souza"


async def test_a_timeline_tells_of_the_order_and_its_payment_in_commit_order(shop: Shop) -> None:
    order_id = await shop.placed()
    await shop.tell(requested(order_id=order_id))
    await shop.tell(confirmed(), order_id=order_id)
    told = (await shop.get(f"/v1/orders/{order_id}/timeline")).json()["items"]
    assert [entry["kind"] for entry in told] == ["order.placed.v2", "payment.requested.v1", "order.confirmed.v1"]


@pytest.mark.parametrize("path", ["/v1/orders", f"/v1/orders/{A_STRANGER}", "/v1/dashboard", "/v1/stream", "/v1/stock"])
async def test_nobody_is_answered_without_a_token(shop: Shop, path: str) -> None:
    answer = await shop.platform.client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (401, MEDIA_TYPE)


@pytest.mark.parametrize(
    "path", ["stock", "stock/X", "sales/hourly", "sales/daily", "sales/products", "processes", "dashboard"]
)
async def test_a_customer_is_not_shown_what_is_for_staff(shop: Shop, path: str) -> None:
    answer = await shop.get(f"/v1/{path}", "orders:read", "orders:write", subject=CUSTOMER)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")
