"""Questions over gRPC: the answers that HTTP gives, from the same views, and the stream of changes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
import httpx
import pytest
import pytest_asyncio
from orderflow.queries.v1 import history_query_service_pb2 as history_pb
from orderflow.queries.v1 import order_query_service_pb2 as pb
from orderflow.queries.v1 import paging_pb2
from orderflow.queries.v1.history_query_service_pb2_grpc import HistoryQueryServiceStub
from orderflow.queries.v1.order_query_service_pb2_grpc import OrderQueryServiceStub
from orderflow.types.v1 import order_pb2 as types

from infra.auth import Scope
from schemas.ids import new_id
from tests.edges.query.platform import CUSTOMER, Platform, Shop
from tests.edges.write.rpc import refused_as
from tests.examples import NOON, authorised, confirmed, requested
from tests.grpc_edge import GrpcEdge
from tests.grpc_methods import METHODS

if TYPE_CHECKING:
    from orderflow.queries.v1.order_query_service_pb2_grpc import OrderQueryServiceAsyncStub

Stub: TypeAlias = "OrderQueryServiceAsyncStub"
Watching: TypeAlias = grpc.aio.UnaryStreamCall[pb.WatchOrdersRequest, pb.WatchOrdersResponse]
pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]


ANSWERED: list[tuple[str, dict[str, Any]]] = [
    ("/v1/orders", {}),
    ("/v1/orders", {"status": ["confirmed", "placed"], "sort": "-total", "limit": 1}),
    ("/v1/orders", {"q": "rui", "placed_from": "2026-01-01T00:00:00Z", "placed_to": "2027-01-01T00:00:00Z"}),
    ("/v1/orders/{order_id}", {}),
    ("/v1/orders/{order_id}/timeline", {"story": "false"}),
    ("/v1/orders/{order_id}/state", {"at_version": 1}),
    ("/v1/payments/{order_id}/state", {"as_of": "2026-03-03T00:00:00+00:00"}),
    ("/v1/orders/{order_id}/diff", {"from_version": 1, "to_version": 2}),
    ("/v1/customers/{customer_id}", {}),
    ("/v1/customers/{customer_id}/orders", {"limit": 1}),
    ("/v1/products", {"status": "listed"}),
    ("/v1/stock", {"available_below": 5}),
    ("/v1/processes", {"overdue": "false", "ended": "false", "phase": ["awaiting_stock"], "min_position": 0}),
    ("/v1/audit/looks", {"subject": "rita", "revealed": "false", "since": "2026-03-01T00:00:00Z", "limit": 3}),
    ("/v1/sales/hourly", {"from": "2026-03-01T00:00:00Z", "to": "2026-03-20T00:00:00Z"}),
    ("/v1/sales/daily", {"from": "2026-03-01", "to": "2026-03-20"}),
    ("/v1/sales/products", {"from": "2026-03-01", "to": "2026-03-20", "limit": 3}),
]
REFUSED: list[tuple[str, dict[str, Any], int]] = [
    ("/v1/orders/00000000-0000-7000-8000-00000000beef", {}, 404),
    ("/v1/products/NOTHING", {}, 404),
    ("/v1/stock/NOTHING", {}, 404),
    ("/v1/stock/NOTHING/state", {}, 404),
    ("/v1/orders/nothing/state", {}, 422),
    ("/v1/payments/00000000-0000-7000-8000-00000000beef/diff", {"from_version": 1}, 404),
    ("/v1/orders", {"cursor": "made-up"}, 400),
    ("/v1/orders", {"min_position": 2**62}, 400),
    ("/v1/sales/hourly", {"from": "2026-03-01T00:00:00Z"}, 422),
    ("/v1/sales/daily", {"from": "2026-03-20", "to": "2026-03-01"}, 422),
]
FIGURES = "/v1/dashboard"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(platform: Platform) -> AsyncIterator[Stub]:
    async with grpc.aio.insecure_channel(platform.grpc) as channel:
        yield OrderQueryServiceStub(channel)


def metadata(shop: Shop, *scopes: Scope, subject: str = "staff") -> tuple[tuple[str, str], ...]:
    return tuple(shop.headers(*scopes, subject=subject).items())


async def asked_both_ways(shop: Shop, path: str, query: dict[str, Any]) -> tuple[httpx.Response, httpx.Response]:
    over_http = await shop.get(path, query=query)
    edge = GrpcEdge(shop.platform.grpc, "")
    over_grpc = await asyncio.to_thread(edge.handle_request, over_http.request)
    edge.close()
    return over_http, over_grpc


async def a_day(shop: Shop) -> str:
    """Let some things happen that every view shows."""
    order_id = await shop.placed()
    await shop.tell(requested(order_id=order_id), order_id=order_id)
    await shop.tell(authorised(order_id=order_id), order_id=order_id)
    await shop.tell(confirmed(), order_id=order_id)
    await shop.placed(name="Rui Cardoso", at=NOON + timedelta(hours=1), price=900)
    return str(order_id)


@pytest.mark.parametrize(("path", "query"), ANSWERED, ids=str)
async def test_an_answer_is_the_one_that_http_gives(shop: Shop, path: str, query: dict[str, Any]) -> None:
    order_id = await a_day(shop)
    customer_id = (await shop.get(f"/v1/orders/{order_id}")).json()["customer_id"]
    known = path.format(order_id=order_id, customer_id=customer_id)
    over_http, over_grpc = await asked_both_ways(shop, known, query)
    assert over_http.status_code == 200, over_http.text
    assert comparable(over_grpc.json()) == comparable(over_http.json())


async def test_a_story_is_the_one_that_http_gives(shop: Shop) -> None:
    path = f"/v1/orders/{await a_day(shop)}/timeline"
    async with asyncio.timeout(20):
        before, over_grpc = await asked_both_ways(shop, path, {})
        while before.json() != (await shop.get(path)).json():  # readers of the log were catching up meanwhile
            before, over_grpc = await asked_both_ways(shop, path, {})
    assert before.json()["story"]
    assert comparable(over_grpc.json()) == comparable(before.json())


async def test_looks_are_the_ones_that_http_gives(shop: Shop) -> None:
    headers = {**shop.headers("audit:read", subject="rita"), "reveal-reason": "complaint 4711"}
    await shop.platform.client.get("/v1/orders", params={"limit": 7}, headers=headers)
    over_http, over_grpc = await asked_both_ways(shop, "/v1/audit/looks", {"revealed": "true"})
    assert [look["reason"] for look in over_http.json()["items"]] == ["complaint 4711"]
    assert comparable(over_grpc.json()) == comparable(over_http.json())


@pytest.mark.parametrize(("path", "query", "status"), REFUSED, ids=str)
async def test_a_refusal_is_the_one_that_http_gives(shop: Shop, path: str, query: dict[str, Any], status: int) -> None:
    over_http, over_grpc = await asked_both_ways(shop, path, query)
    assert over_http.status_code == status
    members = ("type", "title", "status", "detail")
    assert [over_grpc.json()[name] for name in members] == [over_http.json()[name] for name in members]


async def test_every_route_is_compared() -> None:
    asked = {*(path for path, _ in ANSWERED), *(path for path, _, _ in REFUSED), FIGURES}
    queries = [method for method in METHODS if method.verb == "GET"]
    missing = [method.path for method in queries if not any(method.named("GET", path) is not None for path in asked)]
    assert not missing


async def test_a_cursor_is_good_on_both_sides(shop: Shop, stub: Stub) -> None:
    await a_day(shop)
    first = (await shop.get("/v1/orders", query={"limit": 1})).json()
    request = pb.ListOrdersRequest(paging=paging_pb2.Paging(limit=1, cursor=first["next_cursor"]))
    second = await stub.ListOrders(request, metadata=metadata(shop))
    assert [each.order_id for each in second.items] != [row["order_id"] for row in first["items"]]
    assert (len(second.items), second.next_cursor) == (1, "")


async def test_a_point_that_there_is_not_is_out_of_range(shop: Shop) -> None:
    request = history_pb.GetStateRequest(
        kind=history_pb.HISTORY_KIND_ORDERS, key=str(await shop.placed()), at_version=2
    )
    async with grpc.aio.insecure_channel(shop.platform.grpc) as channel:
        with refused_as("OUT_OF_RANGE", "version-not-reached"):
            await HistoryQueryServiceStub(channel).GetState(request, metadata=metadata(shop))


async def test_a_customer_sees_only_the_own_orders(shop: Shop, stub: Stub) -> None:
    own = await shop.placed()
    await shop.placed(customer_id=new_id())
    fresh = paging_pb2.Freshness(min_position=shop.position)
    mine = await stub.ListOrders(
        pb.ListOrdersRequest(fresh=fresh), metadata=metadata(shop, "orders:read", subject=CUSTOMER)
    )
    assert [each.order_id for each in mine.items] == [str(own)]


async def test_figures_are_for_staff(shop: Shop) -> None:
    edge = GrpcEdge(shop.platform.grpc, "")
    request = httpx.Request("GET", f"http://x{FIGURES}", headers=shop.headers("orders:read"))
    refused = await asyncio.to_thread(edge.handle_request, request)
    edge.close()
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forbidden")


async def test_a_stranger_is_not_answered(stub: Stub) -> None:
    with refused_as("UNAUTHENTICATED", "unauthenticated"):
        await stub.ListOrders(pb.ListOrdersRequest())


async def test_a_change_is_told_once_the_list_shows_it(shop: Shop, stub: Stub) -> None:
    watching = stub.WatchOrders(pb.WatchOrdersRequest(after_position=shop.position), metadata=metadata(shop))
    order_id = await shop.placed()
    told = await _changes(watching, 1)
    assert [(each.order_id, each.type, each.status) for each in told] == [
        (str(order_id), "order.placed.v2", types.ORDER_STATUS_PLACED)
    ]
    assert [row["order_id"] for row in (await shop.get("/v1/orders")).json()["items"]] == [str(order_id)]


async def test_a_stream_resumes_after_the_position_it_names(shop: Shop, stub: Stub) -> None:
    order_ids = [str(await shop.placed()) for _ in range(3)]
    first = stub.WatchOrders(pb.WatchOrdersRequest(after_position=0), metadata=metadata(shop))
    seen = await _changes(first, 1)
    again = stub.WatchOrders(pb.WatchOrdersRequest(after_position=seen[0].position), metadata=metadata(shop))
    rest = await _changes(again, 2)
    assert [each.order_id for each in (*seen, *rest)] == order_ids


async def test_a_stream_of_one_order_tells_of_no_other(shop: Shop, stub: Stub) -> None:
    before = shop.position
    wanted = await shop.placed()
    await shop.placed()
    await shop.tell(confirmed(), order_id=wanted)
    request = pb.WatchOrdersRequest(order_id=str(wanted), after_position=before)
    told = await _changes(stub.WatchOrders(request, metadata=metadata(shop)), 2)
    assert [each.type for each in told] == ["order.placed.v2", "order.confirmed.v1"]


async def test_another_tenant_hears_nothing(shop: Shop, rival: Shop, stub: Stub) -> None:
    await rival.placed()
    own = await shop.placed()
    told = await _changes(stub.WatchOrders(pb.WatchOrdersRequest(after_position=0), metadata=metadata(shop)), 1)
    assert told[0].order_id == str(own)


async def test_a_position_that_no_write_has_answered_is_refused(shop: Shop, stub: Stub) -> None:
    with refused_as("INVALID_ARGUMENT", "position-unknown"):
        await stub.WatchOrders(pb.WatchOrdersRequest(after_position=2**62), metadata=metadata(shop)).read()


async def test_what_breaks_a_contract_is_refused_before_the_stream_begins(shop: Shop, stub: Stub) -> None:
    with refused_as("INVALID_ARGUMENT", "invalid"):
        await stub.WatchOrders(pb.WatchOrdersRequest(order_id="nothing"), metadata=metadata(shop)).read()


async def test_a_stream_that_is_too_far_behind_is_told_to_begin_anew(
    shop: Shop, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("query_api.stream.MAX_REPLAY", 0)
    await shop.placed()
    await shop.get("/v1/orders")
    told = await stub.WatchOrders(pb.WatchOrdersRequest(after_position=0), metadata=metadata(shop)).read()
    assert isinstance(told, pb.WatchOrdersResponse)
    assert told.WhichOneof("event") == "reset"
    assert told.position > 0


async def _changes(watching: Watching, count: int) -> list[pb.OrderChange]:
    found: list[pb.OrderChange] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            told = await watching.read()
            assert isinstance(told, pb.WatchOrdersResponse), "the stream has ended"
            if told.WhichOneof("event") == "change":
                found.append(told.change)
    watching.cancel()
    return found


def comparable(value: Any) -> Any:  # noqa: ANN401  # JSON is any value
    """Leave out what the two sides write in their own way: how an instant ends, and members without a value."""
    if isinstance(value, dict):
        return {name: comparable(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [comparable(each) for each in value]
    return value.replace("+00:00", "Z") if isinstance(value, str) else value
