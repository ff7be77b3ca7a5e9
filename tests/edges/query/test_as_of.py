"""Lists and figures as of an instant: what they showed then, computed by replay when somebody asks first."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from infra.auth import Scope
from infra.vault import destroy
from tests.edges.query.platform import CUSTOMER, Query, Shop
from tests.edges.query.test_rpc import comparable
from tests.examples import CUSTOMER_ID, SKU, a_line, cancelled, confirmed, listed, received, repriced, reserved
from tests.grpc_edge import GrpcEdge
from tests.waiting import eventually

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

LISTS = ("/v1/orders", f"/v1/customers/{CUSTOMER_ID}/orders", "/v1/products", "/v1/stock")
FIGURES = ("/v1/sales/hourly", "/v1/sales/daily", "/v1/sales/products", "/v1/dashboard")


class Clock:
    """Keeps the log of this module in the order of time, as it is wherever clocks agree; begins on the day before."""

    def __init__(self) -> None:
        self._at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=26)

    def __next__(self) -> datetime:
        self._at += timedelta(seconds=10)
        return self._at

    def skip(self, span: timedelta) -> None:
        self._at += span


MOMENTS = Clock()


async def asked(shop: Shop, path: str, as_of: datetime | str, *scopes: Scope, **query: Any) -> httpx.Response:  # noqa: ANN401  # parameters
    """Ask until it is computed."""
    instant = as_of if isinstance(as_of, str) else as_of.isoformat()
    asked_for = {"as_of": instant, "wait": 5, **query}
    while True:
        answer = await shop.platform.client.get(path, params=asked_for, headers=shop.headers(*scopes))
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            return answer
        assert answer.json()["type"] == "/problems/past-being-computed", answer.text


async def items(shop: Shop, path: str, as_of: datetime, **query: Any) -> list[dict[str, Any]]:  # noqa: ANN401  # parameters
    found: list[dict[str, Any]] = (await asked(shop, path, as_of, **query)).json()["items"]
    return found


async def a_sale(shop: Shop) -> UUID:
    order_id = await shop.placed(at=next(MOMENTS))
    await shop.tell(reserved(2, order_id), at=next(MOMENTS))
    await shop.tell(confirmed(a_line()), order_id=order_id, at=next(MOMENTS))
    return order_id


async def test_everything_is_shown_as_it_was_at_the_instant(shop: Shop) -> None:
    await shop.tell(listed(), at=next(MOMENTS))
    await shop.tell(received(10), at=next(MOMENTS))
    earlier = await a_sale(shop)
    MOMENTS.skip(timedelta(hours=24))
    order_id = await a_sale(shop)
    then = next(MOMENTS)
    await shop.tell(cancelled(a_line(), confirmed=True), order_id=order_id, at=next(MOMENTS))
    await shop.tell(repriced(), at=next(MOMENTS))
    await shop.tell(received(5), at=next(MOMENTS))
    await shop.placed(at=next(MOMENTS))
    for path in LISTS[:2]:
        order, before = await items(shop, path, then)
        assert (order["order_id"], order["status"], order["customer_name"]) == (str(order_id), "confirmed", "Ana Souza")
        assert before["order_id"] == str(earlier)
    assert [each["price"]["amount"] for each in await items(shop, "/v1/products", then)] == [1450]
    assert [(each["on_hand"], each["reserved"]) for each in await items(shop, "/v1/stock", then)] == [(10, 4)]
    for path, revenue in zip(FIGURES, ([2900], [2900, 2900], [5800]), strict=False):
        assert [each["revenue"] for each in await items(shop, path, then)] == revenue, path
    figures = (await asked(shop, "/v1/dashboard", then)).json()
    assert {status: count for status, count in figures["orders_by_status"].items() if count} == {"confirmed": 2}
    assert (figures["revenue_today"], sum(each["orders"] for each in figures["orders_per_minute"])) == (
        [{"amount": 2900, "currency": "EUR"}],
        1,
    )
    assert [each["order_id"] for each in figures["recent_orders"]] == [str(order_id), str(earlier)]


async def test_as_of_now_it_is_what_is_shown_now_over_http_and_grpc(shop: Shop) -> None:
    await shop.tell(listed(), at=next(MOMENTS))
    for fate in (confirmed(a_line()), cancelled(a_line(), confirmed=False), None):
        order_id = await shop.placed(at=next(MOMENTS))
        if fate:
            await shop.tell(fate, order_id=order_id, at=next(MOMENTS))
    order_id = await a_sale(shop)
    await shop.tell(cancelled(a_line(), confirmed=True), order_id=order_id, at=next(MOMENTS))
    await shop.tell(received(10), at=next(MOMENTS))
    now = datetime.now(UTC)
    live = {path: (await shop.get(path)).json() for path in (*LISTS, *FIGURES)}
    edge = GrpcEdge(shop.platform.grpc, "")
    for path, shown in live.items():
        then = await asked(shop, path, now)
        assert (then.json(), then.headers["x-position"]) == (shown, str(shop.position)), path
        over_grpc = await asyncio.to_thread(edge.handle_request, then.request)
        assert comparable(over_grpc.json()) == comparable(shown), path
    edge.close()


async def test_pages_of_an_instant_go_on_in_it_and_nowhere_else(shop: Shop) -> None:
    first, second = [await shop.placed(at=next(MOMENTS)) for _ in range(2)]
    then = next(MOMENTS)
    await shop.placed(at=next(MOMENTS))
    page = (await asked(shop, "/v1/orders", then, limit=1)).json()
    following = (await asked(shop, "/v1/orders", then, limit=1, cursor=page["next_cursor"])).json()
    assert [each["order_id"] for each in (*page["items"], *following["items"])] == [str(second), str(first)]
    assert following["next_cursor"] is None
    later = await asked(shop, "/v1/orders", then + timedelta(seconds=1), limit=1, cursor=page["next_cursor"])
    assert (later.status_code, later.json()["type"]) == (400, "/problems/cursor-refused")


async def test_an_erased_customer_is_nobody_in_the_past_too_and_a_rival_sees_nothing(shop: Shop, rival: Shop) -> None:
    order_id = await shop.placed(name="Ana Souza", at=next(MOMENTS))
    then = next(MOMENTS)
    await rival.tell(listed(), at=next(MOMENTS))
    assert [each["customer_name"] for each in await items(shop, "/v1/orders", then, q="souza")] == ["Ana Souza"]
    await destroy(shop.platform.runtime.pool, shop.tenant_id, CUSTOMER_ID)

    async def forgotten() -> bool:
        found = await items(shop, "/v1/orders", then)
        return [(each["order_id"], each["customer_name"]) for each in found] == [(str(order_id), "")]

    await eventually(forgotten)
    assert await items(rival, "/v1/orders", then) == []


async def test_whoever_sees_the_own_orders_only_sees_no_past(shop: Shop) -> None:
    for path in ("/v1/orders", f"/v1/customers/{CUSTOMER_ID}/orders", "/v1/products"):
        headers = shop.headers("orders:read", subject=CUSTOMER)
        query = {"as_of": next(MOMENTS).isoformat()}
        answer = await shop.platform.client.get(path, params=query, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")


async def test_an_auditor_sees_the_past_masked_and_the_look_is_recorded(shop: Shop) -> None:
    order_id = str(await shop.placed(at=next(MOMENTS)))
    then = next(MOMENTS)
    [order] = (await asked(shop, "/v1/orders", then, "audit:read")).json()["items"]
    assert (order["order_id"], order["customer_name"], order["masked"]) == (order_id, "", True)
    look, *others = (await shop.get("/v1/audit/looks", "audit:read")).json()["items"]
    assert (look["question"], look["orders"], others) == ("/v1/orders", [order_id], [])
    assert datetime.fromisoformat(look["parameters"]["as_of"]) == then


@pytest.mark.parametrize(
    ("query", "status", "kind"),
    [
        ({"as_of": "2999-01-01T00:00:00Z"}, 422, "invalid"),
        ({"as_of": "yesterday"}, 422, "invalid"),
        ({"as_of": "1767225600"}, 422, "invalid"),
        ({"as_of": "2026-03-02T12:00:00"}, 422, "invalid"),
        ({"as_of": "2026-03-02T12:00:00Z", "min_position": 1}, 422, "invalid"),
        ({"as_of": "1999-01-01T00:00:00Z"}, 404, "not-yet-begun"),
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/v1/orders", "/v1/sales/daily", "/v1/dashboard"])
async def test_an_instant_that_there_is_not_is_refused(
    shop: Shop, path: str, query: dict[str, Any], status: int, kind: str
) -> None:
    await shop.placed(at=next(MOMENTS))
    answer = await shop.platform.client.get(path, params=query, headers=shop.headers())
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}")


async def test_what_has_only_a_present_takes_no_instant(shop: Shop) -> None:
    for path in ("/v1/processes", f"/v1/products/{SKU}", f"/v1/orders/{CUSTOMER_ID}"):
        query = {"as_of": next(MOMENTS).isoformat()}
        answer = await shop.platform.client.get(path, params=query, headers=shop.headers())
        assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY


async def test_who_does_not_wait_is_told_to_ask_again(shop: Shop) -> None:
    await shop.placed(at=next(MOMENTS))
    then = next(MOMENTS)
    query: Query = {"as_of": then.isoformat(), "wait": 0}
    answer = await shop.platform.client.get("/v1/orders", params=query, headers=shop.headers())
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/past-being-computed")
    assert (answer.headers["retry-after"], "0 % is done" in answer.json()["detail"]) == ("1", True)
    edge = GrpcEdge(shop.platform.grpc, "")
    over_grpc = await asyncio.to_thread(edge.handle_request, answer.request)
    edge.close()
    assert (over_grpc.status_code, over_grpc.json()["type"]) == (503, "/problems/past-being-computed")
    assert over_grpc.headers["retry-after"] == "1"
    assert len(await items(shop, "/v1/orders", then)) == 1
    at_once = await shop.platform.client.get("/v1/orders", params=query, headers=shop.headers())
    assert at_once.status_code == httpx.codes.OK
