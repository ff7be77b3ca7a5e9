"""Commands over gRPC: the same answers, refusals and repeats as over HTTP, and nothing that HTTP would not tell."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import psycopg
import pytest
import pytest_asyncio
from orderflow.commands.v1 import catalogue_command_service_pb2 as shop_pb
from orderflow.commands.v1 import order_command_service_pb2 as pb
from orderflow.commands.v1.catalogue_command_service_pb2_grpc import CatalogueCommandServiceStub
from orderflow.commands.v1.order_command_service_pb2_grpc import OrderCommandServiceStub

from infra.group_commit import LOG_LOCK
from infra.rpc.server import MOST_BYTES
from infra.rpc.values import filled, plain
from tests.edges.write.rpc import Rpc, order_request, refused_as, told
from tests.edges.write.shop import COFFEE, Shop, an_order
from tests.grpc_edge import GrpcEdge
from tests.waiting import eventually
from write_api.rpc_bulk import MOST_ORDERS

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def channel(running: Shop) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(running.grpc) as channel:
        yield channel


@pytest.fixture
def rpc(shop: Shop, channel: grpc.aio.Channel) -> Rpc:
    return Rpc(shop, channel)


async def test_an_order_is_placed_at_the_catalogue_s_price(rpc: Rpc) -> None:
    await rpc.shop.sell_coffee()
    placed = plain(await rpc.place(2))
    assert placed.pop("order_id")
    assert placed.pop("position") > 0
    assert placed == {"status": "placed", "total": {"amount": 2500, "currency": "EUR"}, "version": 1}


async def test_a_key_is_the_same_one_over_http(rpc: Rpc) -> None:
    await rpc.shop.sell_coffee()
    over_http = (await rpc.shop.post("/v1/orders", an_order(2), key="once")).json()
    again = await rpc.place(2, key="once")
    assert (again.order_id, again.position, again.replayed) == (over_http["order_id"], over_http["position"], True)
    first = await rpc.place(3, key="other")
    repeated = await rpc.shop.post("/v1/orders", an_order(3), key="other")
    assert repeated.json()["order_id"] == first.order_id
    assert repeated.headers["idempotency-replayed"] == "true"
    assert (await rpc.shop.topics()).count("order.placed.v2") == 2


async def test_a_hundred_parallel_calls_with_one_key_place_one_order(rpc: Rpc) -> None:
    await rpc.shop.sell_coffee()
    answers = await asyncio.gather(*(rpc.place(key="once") for _ in range(100)))
    assert len({answer.order_id for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1


async def test_another_order_under_the_same_key_is_refused(rpc: Rpc) -> None:
    await rpc.shop.sell_coffee()
    await rpc.place(1, key="once")
    with refused_as("INVALID_ARGUMENT", "idempotency-key-reused"):
        await rpc.place(2, key="once")


@pytest.mark.parametrize("key", ["", "with space", "k" * 256])
async def test_a_malformed_key_is_refused(rpc: Rpc, key: str) -> None:
    with refused_as("INVALID_ARGUMENT", "idempotency-key-malformed"):
        await rpc.send(order_request().SerializeToString(), *rpc.metadata()[:1], ("idempotency-key", key))


async def test_a_command_without_a_key_is_refused(rpc: Rpc) -> None:
    with refused_as("INVALID_ARGUMENT", "idempotency-key-missing"):
        await rpc.send(order_request().SerializeToString(), *rpc.metadata()[:1])


async def test_a_key_given_twice_is_refused(rpc: Rpc) -> None:
    with refused_as("INVALID_ARGUMENT", "idempotency-key-malformed"):
        await rpc.send(order_request().SerializeToString(), *rpc.metadata("a"), ("idempotency-key", "b"))


async def test_the_version_seen_must_be_the_present_one(rpc: Rpc) -> None:
    await rpc.shop.sell_coffee()
    request = shop_pb.RepriceProductRequest(sku="COFFEE")
    request.price.currency_code, request.price.units = "EUR", 13
    stub = CatalogueCommandServiceStub(rpc.channel)
    done = await stub.RepriceProduct(request, metadata=rpc.metadata(None, ("if-match", '"1"')))
    assert done.version == 2
    with refused_as("ABORTED", "version-mismatch"):
        await stub.RepriceProduct(request, metadata=rpc.metadata(None, ("if-match", '"1"')))


@pytest.mark.parametrize("given", [(), ("Bearer x",), ("Basic YTpi",), ("Bearer a.b.c",), ("TWICE", "TWICE")], ids=str)
async def test_whoever_is_not_known_learns_nothing(rpc: Rpc, given: tuple[str, ...]) -> None:
    known = rpc.metadata()[0][1]
    tokens = [("authorization", known if each == "TWICE" else each) for each in given]
    with refused_as("UNAUTHENTICATED", "unauthenticated"):
        await rpc.send(b"\xff\xff", *tokens, ("idempotency-key", "x"))


async def test_a_token_without_the_scope_is_refused(rpc: Rpc) -> None:
    reader = Rpc(rpc.shop.as_("ana", "orders:read"), rpc.channel)
    with refused_as("PERMISSION_DENIED", "forbidden"):
        await reader.place()


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b'{"contact":{}}', b"\x0a\x02\x0a\xff"])
async def test_bytes_that_are_no_such_message_are_refused(rpc: Rpc, data: bytes) -> None:
    with refused_as("INVALID_ARGUMENT", "malformed-message"):
        await rpc.send(data, *rpc.metadata())
    assert await rpc.shop.topics() == []


async def test_a_message_that_is_too_large_is_not_read(rpc: Rpc) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await rpc.send(b"\x0a" * (MOST_BYTES + 1), *rpc.metadata())
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_what_is_wrong_is_named_as_over_http(rpc: Rpc) -> None:
    body = an_order(0)
    body["contact"] = {**body["contact"], "email": "nobody", "name": ""}
    body["lines"] += [{"sku": "TEA", "quantity": 1}]
    over_http = (await rpc.shop.post("/v1/orders", body)).json()
    request = filled(pb.PlaceOrderRequest, body)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await OrderCommandServiceStub(rpc.channel).PlaceOrder(request, metadata=rpc.metadata())
    over_grpc = told(refused.value)
    assert _places(over_grpc) == _places(over_http) == {"/contact/email", "/contact/name", "/lines/0/quantity"}
    assert {**over_grpc, "errors": None, "instance": ""} == {**over_http, "errors": None, "instance": ""}


async def test_what_only_our_own_models_refuse_is_named_as_well(rpc: Rpc) -> None:
    request = order_request()
    request.contact.name = "a\u202eb"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await OrderCommandServiceStub(rpc.channel).PlaceOrder(request, metadata=rpc.metadata())
    assert _places(told(refused.value)) == {"/contact/name"}
    assert "\u202e" not in str(refused.value.details())


async def test_money_with_more_decimals_than_its_currency_is_refused(rpc: Rpc) -> None:
    request = shop_pb.ListProductRequest(sku="COFFEE", name="Coffee")
    request.price.currency_code, request.price.units, request.price.nanos = "EUR", 12, 1_000_000
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await CatalogueCommandServiceStub(rpc.channel).ListProduct(request, metadata=rpc.metadata())
    assert _places(told(refused.value)) == {"/price"}


async def test_a_request_id_is_recorded_and_repeated(rpc: Rpc) -> None:
    given = "01981d3c-7cf8-7a10-8d4c-6f9619ff8b86"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await rpc.send(order_request().SerializeToString(), *rpc.metadata(None, ("x-request-id", given)))
    assert told(refused.value)["instance"] == f"urn:uuid:{given}"
    await rpc.shop.sell_coffee()
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    trace = (("x-request-id", given), ("traceparent", parent))
    await rpc.send(order_request().SerializeToString(), *rpc.metadata(None, *trace))
    recorded = (await rpc.shop.events())[-1].recorded.trace
    assert (str(recorded.correlation_id), recorded.traceparent) == (given, parent)


async def test_a_command_that_has_begun_is_finished_when_its_caller_goes(rpc: Rpc, module_database: str) -> None:
    await rpc.shop.sell_coffee()
    async with await psycopg.AsyncConnection.connect(module_database) as blocking:
        await blocking.execute("SELECT pg_advisory_xact_lock(%s)", (LOG_LOCK,))
        call = OrderCommandServiceStub(rpc.channel).PlaceOrder(order_request(), metadata=rpc.metadata("once"))
        await eventually(lambda: _waits_for_the_log(module_database))
        call.cancel()
    again = await rpc.place(key="once")
    assert again.replayed
    assert (await rpc.shop.topics()).count("order.placed.v2") == 1


async def test_a_deadline_that_passes_leaves_one_order_and_its_key(rpc: Rpc, module_database: str) -> None:
    await rpc.shop.sell_coffee()
    async with await psycopg.AsyncConnection.connect(module_database) as blocking:
        await blocking.execute("SELECT pg_advisory_xact_lock(%s)", (LOG_LOCK,))
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await OrderCommandServiceStub(rpc.channel).PlaceOrder(
                order_request(), metadata=rpc.metadata("once"), timeout=0.3
            )
    assert late.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    await rpc.place(key="once")
    assert (await rpc.shop.topics()).count("order.placed.v2") == 1


async def test_each_of_many_orders_has_a_result_of_its_own(rpc: Rpc) -> None:
    await rpc.shop.sell_coffee()
    first = await rpc.place(1, key="known")
    sent = [("a", 1, "COFFEE"), ("b", 0, "COFFEE"), ("c", 1, "TEA"), ("known", 1, "COFFEE"), ("a", 1, "COFFEE")]
    sent += [("with space", 1, "COFFEE"), ("d", 4, "COFFEE")]
    results = await _place_all(rpc, [_one(*each) for each in sent])
    assert [result.idempotency_key for result in results] == [key for key, *_ in sent]
    assert [result.WhichOneof("outcome") for result in results] == [
        "placed",
        "refused",
        "refused",
        "placed",
        "placed",
        "refused",
        "placed",
    ]
    assert results[3].placed.order_id == first.order_id
    assert results[4].placed.order_id == results[0].placed.order_id
    assert results[2].refused.code == grpc.StatusCode.NOT_FOUND.value[0]
    assert (await rpc.shop.topics()).count("order.placed.v2") == 3


async def test_a_thousand_orders_in_one_call_are_placed_in_few_commits(rpc: Rpc) -> None:
    await rpc.shop.sell_coffee()
    results = await _place_all(rpc, [_one(f"key-{number}", 1, "COFFEE") for number in range(1_000)])
    assert len({result.placed.order_id for result in results}) == 1_000
    assert (await rpc.shop.topics()).count("order.placed.v2") == 1_000


async def test_more_orders_than_a_call_takes_end_it(rpc: Rpc) -> None:
    with refused_as("RESOURCE_EXHAUSTED", "too-many-orders"):
        await _place_all(rpc, [_one(f"key-{number}", 1, "TEA") for number in range(MOST_ORDERS + 1)])


async def test_many_orders_of_somebody_unknown_are_not_looked_at(rpc: Rpc) -> None:
    with refused_as("UNAUTHENTICATED", "unauthenticated"):
        await OrderCommandServiceStub(rpc.channel).PlaceOrders(_each([_one("a", 1, "COFFEE")]), metadata=())


async def test_a_bulk_call_that_is_cancelled_can_be_sent_again(rpc: Rpc) -> None:
    await rpc.shop.sell_coffee()
    orders = [_one(f"key-{number}", 1, "COFFEE") for number in range(50)]
    call = OrderCommandServiceStub(rpc.channel).PlaceOrders(metadata=rpc.metadata())
    for order in orders[:30]:
        await call.write(order)
    call.cancel()
    results = await _place_all(rpc, orders)
    assert len({result.placed.order_id for result in results}) == 50
    assert (await rpc.shop.topics()).count("order.placed.v2") == 50


async def test_another_tenant_s_order_looks_like_one_that_never_was(rpc: Rpc) -> None:
    order_id = str(await rpc.shop.place())
    stranger = Rpc(rpc.shop.as_("eve", tenant_id="elsewhere"), rpc.channel)
    for wanted in (order_id, "00000000-0000-7000-8000-00000000beef"):
        with refused_as("NOT_FOUND", "order-not-found"):
            request = pb.CancelOrderRequest(order_id=wanted)
            await OrderCommandServiceStub(rpc.channel).CancelOrder(request, metadata=stranger.metadata())


async def test_every_refusal_over_http_is_the_same_over_grpc(rpc: Rpc) -> None:
    """The rest of the scenarios run over both in `tests/acceptance`; here are those that end in a refusal."""
    order_id = await rpc.shop.place()
    stranger = "00000000-0000-7000-8000-00000000beef"
    requests: list[tuple[str, dict[str, Any]]] = [
        ("/v1/products", {**COFFEE, "name": "Another coffee"}),
        ("/v1/products/TEA/price", {"price": COFFEE["price"]}),
        ("/v1/products/COFFEE/price", {"price": {"amount": 1, "currency": "USD"}}),
        ("/v1/stock/TEA/adjustments", {"delta": -1, "reason": "loss"}),
        ("/v1/orders", an_order(1, "TEA")),
        ("/v1/orders", {**an_order(), "lines": [{"sku": "COFFEE", "quantity": 1}] * 2}),
        (f"/v1/orders/{order_id}/shipments", {"carrier": "CTT"}),
        (f"/v1/orders/{stranger}/cancellation", {}),
        (f"/v1/orders/{order_id}/shipments/{stranger}/delivery", {}),
        (f"/v1/orders/{order_id}/refunds", {"amount": {"amount": 1, "currency": "EUR"}, "reason": "late"}),
    ]
    over_grpc = GrpcEdge(rpc.shop.grpc, "")
    for path, body in requests:
        refused = await rpc.shop.post(path, body)
        again = await asyncio.to_thread(over_grpc.handle_request, refused.request)
        told_by_http, told_by_grpc = refused.json(), again.json()
        assert refused.is_client_error, path
        assert {**told_by_grpc, "instance": ""} == {**told_by_http, "instance": ""}
    over_grpc.close()


def _places(problem: dict[str, Any]) -> set[str]:
    return {error["pointer"] for error in problem["errors"]}


def _one(key: str, quantity: int, sku: str) -> pb.PlaceOrdersRequest:
    return pb.PlaceOrdersRequest(idempotency_key=key, order=order_request(quantity, sku))


async def _each(requests: list[pb.PlaceOrdersRequest]) -> AsyncIterator[pb.PlaceOrdersRequest]:
    for request in requests:
        yield request


async def _place_all(rpc: Rpc, requests: list[pb.PlaceOrdersRequest]) -> list[pb.PlaceOrdersResult]:
    stub = OrderCommandServiceStub(rpc.channel)
    return list((await stub.PlaceOrders(_each(requests), metadata=rpc.metadata())).results)


async def _waits_for_the_log(dsn: str) -> bool:
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        found = await connection.execute("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return await found.fetchone() is not None
