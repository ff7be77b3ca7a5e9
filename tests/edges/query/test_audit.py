"""An auditor sees all of a tenant, contacts masked unless revealed with a reason, and never without a record of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import grpc
import httpx
import psycopg
import pytest
from orderflow.queries.v1 import order_query_service_pb2 as pb
from orderflow.queries.v1.order_query_service_pb2_grpc import OrderQueryServiceStub

from schemas.events.order import ContactErased
from schemas.ids import new_id
from schemas.looks import FIRST, hash_of
from tests.edges.query.platform import CUSTOMER, Query, Shop
from tests.edges.query.streaming import listening
from tests.examples import CUSTOMER_ID, NOON, SKU, authorised, confirmed, listed, received, requested
from tests.grpc_edge import GrpcEdge, metadata_of
from tests.grpc_methods import METHODS

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

AUDITOR: Final = "rita"
REASON: Final = "complaint 4711: parcel never came"
PERSONAL: Final = ("Ana", "Souza", "example.com", "351910000001", "Flores")
EDGES: Final = pytest.mark.parametrize("edge", ["rest", "grpc"])
WAITS_FOR_THE_DISK: Final = """
CREATE FUNCTION waits_for_the_disk() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN ASSERT current_setting('synchronous_commit') = 'on'; RETURN NEW; END $$;
CREATE TRIGGER waits_for_the_disk BEFORE INSERT ON audit_looks FOR EACH ROW EXECUTE FUNCTION waits_for_the_disk();
"""
Json = dict[str, Any]


async def ask(
    shop: Shop, path: str, *reasons: str | bytes, edge: str = "rest", query: Query | None = None
) -> httpx.Response:
    """Ask as an auditor, over either edge."""
    headers = [*shop.headers("audit:read", subject=AUDITOR).items(), *(("reveal-reason", each) for each in reasons)]
    asked = {"min_position": shop.position, "wait": 5, **(query or {})}
    request = shop.platform.client.build_request("GET", path, params=asked, headers=headers)  # type: ignore[arg-type]
    if edge == "rest":
        return await shop.platform.client.send(request)
    over_grpc = GrpcEdge(shop.platform.grpc, "")
    try:
        return await asyncio.to_thread(over_grpc.handle_request, request)
    finally:
        over_grpc.close()


async def looks(shop: Shop, **query: str | bool | int) -> list[Json]:
    """Give what was recorded, the newest first, as staff see it."""
    answer = await shop.get("/v1/audit/looks", "operations:read", query=query)
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    return items


@asynccontextmanager
async def nothing_recorded(shop: Shop) -> AsyncIterator[None]:
    """Take the table away for a while."""
    async with shop.platform.runtime.pool.connection() as connection:
        await connection.execute("ALTER TABLE audit_looks RENAME TO audit_looks_away")
        try:
            yield
        finally:
            await connection.execute("ALTER TABLE audit_looks_away RENAME TO audit_looks")


async def a_shop(shop: Shop) -> str:
    """Let something happen that every view shows; gives the order."""
    order_id = await shop.placed()
    facts = (listed(), received(), requested(order_id=order_id), authorised(order_id=order_id), confirmed())
    for fact in facts:
        await shop.tell(fact, order_id=order_id)
    return str(order_id)


@EDGES
async def test_an_auditor_is_shown_everything_but_contacts_and_each_look_is_recorded(shop: Shop, edge: str) -> None:
    order_id = await a_shop(shop)
    parts = {"order_id": order_id, "customer_id": str(CUSTOMER_ID), "sku": SKU, "kind": "orders", "key": order_id}
    more = {"GetDiff": {"from_version": 1}, "ListProcesses": {"min_position": 0}}
    for method in METHODS:
        if method.verb != "GET":
            continue
        path = method.path.format(**parts)
        answer = await ask(shop, path, edge=edge, query=more.get(method.name))
        assert answer.status_code == 200, answer.text
        assert not [word for word in PERSONAL if word in answer.text], path
        look = (await looks(shop))[0]
        told = (look["question"], look["subject"], look["outcome"], look["revealed"], look["reason"])
        assert told == (path, AUDITOR, "shown", False, None)
        assert order_id in look["orders"] or order_id not in answer.text or method.name == "ListLooks"


@EDGES
async def test_a_masked_contact_says_so_and_an_erased_one_does_not(shop: Shop, edge: str) -> None:
    kept, gone = await shop.placed(), await shop.placed(at=NOON + timedelta(hours=1))
    await shop.tell(ContactErased(), order_id=gone)
    rows = (await ask(shop, "/v1/orders", edge=edge)).json()["items"]
    assert [(row["customer_name"], row["masked"]) for row in rows] == [("", False), ("", True)]
    details = [(await ask(shop, f"/v1/orders/{order_id}", edge=edge)).json() for order_id in (kept, gone)]
    assert [(detail["contact"], detail["masked"]) for detail in details] == [(None, True), (None, False)]


@EDGES
async def test_a_reason_reveals_the_contacts_of_one_answer_and_is_recorded(shop: Shop, edge: str) -> None:
    path = f"/v1/orders/{await shop.placed()}"
    shown = (await ask(shop, path, REASON, edge=edge)).json()
    assert (shown["contact"]["email"], shown["masked"]) == ("ana.souza@example.com", False)
    row = (await ask(shop, "/v1/orders", REASON, edge=edge)).json()["items"][0]
    assert (row["customer_name"], row["masked"]) == ("Ana Souza", False)
    assert (await ask(shop, path, edge=edge)).json()["contact"] is None
    assert [(look["revealed"], look["reason"]) for look in await looks(shop)] == [
        (False, None),
        (True, REASON),
        (True, REASON),
    ]


async def test_what_was_revealed_is_kept_in_no_cache(shop: Shop) -> None:
    path = f"/v1/orders/{await shop.placed()}"
    answers = [await ask(shop, path), await ask(shop, path, REASON)]
    assert [each.headers["cache-control"] for each in answers] == ["private, no-cache", "private, no-store"]


@pytest.mark.parametrize(
    "reasons",
    [("too short",), ("",), ("x" * 501,), ("seen \u200b by nobody".encode(),), (REASON, REASON)],
    ids=repr,
)
async def test_what_is_no_reason_is_refused_and_shows_nothing(shop: Shop, reasons: tuple[str | bytes, ...]) -> None:
    answer = await ask(shop, f"/v1/orders/{await shop.placed()}", *reasons)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/reveal-reason-malformed")
    assert await looks(shop) == []


async def test_a_reason_is_refused_the_same_way_over_grpc(shop: Shop) -> None:
    answer = await ask(shop, "/v1/orders", "too short", edge="grpc")
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/reveal-reason-malformed")


async def test_a_reason_may_be_written_in_any_language(shop: Shop) -> None:
    await ask(shop, "/v1/orders", "reclamação nº 4711".encode())
    assert [look["reason"] for look in await looks(shop)] == ["reclamação nº 4711"]
    assert (await ask(shop, "/v1/orders", "reclama\xe7\xe3o".encode("latin-1"))).status_code == 400


async def test_who_manages_orders_is_no_auditor(shop: Shop) -> None:
    order_id = await shop.placed()
    headers = {**shop.headers("audit:read", "orders:manage"), "reveal-reason": REASON}
    answer = await shop.platform.client.get(
        f"/v1/orders/{order_id}", params={"min_position": shop.position}, headers=headers
    )
    assert (answer.json()["contact"]["name"], answer.json()["masked"]) == ("Ana Souza", False)
    assert await looks(shop) == []


@EDGES
@pytest.mark.parametrize("path", ["/v1/orders", f"/v1/customers/{CUSTOMER_ID}/orders"])
async def test_words_are_searched_for_with_a_reason_only_and_are_not_recorded(shop: Shop, edge: str, path: str) -> None:
    order_id = await shop.placed()
    asked: Query = {"q": "souza"}
    refused = await ask(shop, path, edge=edge, query=asked)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/reveal-reason-needed")
    found = await ask(shop, path, REASON, edge=edge, query=asked)
    assert [row["order_id"] for row in found.json()["items"]] == [str(order_id)]
    revealed, denied = await looks(shop)
    assert (denied["outcome"], denied["revealed"], denied["orders"]) == ("reveal-reason-needed", False, [])
    assert (revealed["parameters"], revealed["revealed"]) == ({"q": "1 words"}, True)
    assert "souza" not in str([revealed, denied])


@EDGES
async def test_a_look_at_what_is_not_there_is_recorded(shop: Shop, rival: Shop, edge: str) -> None:
    foreign, unknown = await rival.placed(), new_id()
    for order_id in (foreign, unknown):
        answer = await ask(shop, f"/v1/orders/{order_id}", REASON, edge=edge)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/order-not-found")
    told = [(look["outcome"], look["orders"], look["revealed"]) for look in await looks(shop)]
    assert told == [("order-not-found", [str(unknown)], False), ("order-not-found", [str(foreign)], False)]
    assert await looks(rival) == []


@EDGES
async def test_a_look_that_cannot_be_recorded_is_not_answered(shop: Shop, edge: str) -> None:
    order_id = await shop.placed()
    await shop.get("/v1/orders")
    async with nothing_recorded(shop):
        for path in (f"/v1/orders/{order_id}", f"/v1/orders/{new_id()}", "/v1/products"):
            answer = await ask(shop, path, REASON, edge=edge)
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/look-not-recorded")
            assert not [word for word in PERSONAL if word in answer.text]
        assert (await shop.get(f"/v1/orders/{order_id}")).status_code == 200


async def test_looks_at_once_are_one_chain_without_a_gap(shop: Shop) -> None:
    await asyncio.gather(*(ask(shop, "/v1/products", query={"limit": number}) for number in range(1, 13)))
    chain = (await looks(shop))[::-1]
    assert [look["number"] for look in chain] == list(range(1, 13))
    assert [look["previous"] for look in chain] == [FIRST, *(look["hash"] for look in chain[:-1])]
    assert [look["hash"] for look in chain] == list(map(hash_of, chain))


@pytest.mark.parametrize(
    "change", ["UPDATE audit_looks SET subject = 'nobody'", "DELETE FROM audit_looks", "TRUNCATE audit_looks"]
)
async def test_looks_are_only_ever_added_to(shop: Shop, change: str) -> None:
    await ask(shop, "/v1/products")
    async with shop.platform.runtime.pool.connection() as connection:
        with pytest.raises(psycopg.errors.RaiseException, match="only ever added to"):
            await connection.execute(change.encode())


async def test_a_look_is_on_the_disk_before_it_is_answered(shop: Shop) -> None:
    async with shop.platform.runtime.pool.connection() as connection:
        assert await (await connection.execute("SHOW synchronous_commit")).fetchone() == ("off",)
        await connection.execute(WAITS_FOR_THE_DISK)
        try:
            assert (await ask(shop, "/v1/products")).status_code == 200
        finally:
            await connection.execute("DROP FUNCTION waits_for_the_disk CASCADE")


async def test_of_a_stream_its_opening_and_what_it_tells_are_recorded(shop: Shop) -> None:
    headers = shop.headers("audit:read", subject=AUDITOR)
    async with listening(shop.platform.client, "/v1/stream", headers) as stream:
        order_id = await shop.placed()
        await stream.event_of("order.placed.v2")
        told, opened = await looks(shop)
    assert {told["question"], opened["question"]} == {"/v1/stream"}
    assert (opened["orders"], told["orders"]) == ([], [str(order_id)])


async def test_of_a_stream_over_grpc_as_well(shop: Shop) -> None:
    order_id = await shop.placed()
    request = pb.WatchOrdersRequest(order_id=str(order_id), after_position=0)
    metadata = metadata_of(httpx.Headers(shop.headers("audit:read", subject=AUDITOR)))
    async with grpc.aio.insecure_channel(shop.platform.grpc) as channel:
        watching = OrderQueryServiceStub(channel).WatchOrders(request, metadata=metadata)
        async with asyncio.timeout(10):
            assert isinstance(await watching.read(), pb.WatchOrdersResponse)
        watching.cancel()
    assert [look["parameters"] for look in await looks(shop)] == [{"order_id": str(order_id)}] * 2


async def test_a_stream_that_cannot_be_recorded_does_not_begin(shop: Shop) -> None:
    headers = shop.headers("audit:read", subject=AUDITOR)
    async with nothing_recorded(shop), shop.platform.client.stream("GET", "/v1/stream", headers=headers) as answer:
        assert answer.status_code == 503
        await answer.aread()
        assert answer.json()["type"] == "/problems/look-not-recorded"


async def test_a_stream_ends_when_it_can_no_longer_be_recorded(shop: Shop) -> None:
    headers = shop.headers("audit:read", subject=AUDITOR)
    async with listening(shop.platform.client, "/v1/stream", headers) as stream, nothing_recorded(shop):
        await shop.placed()
        with pytest.raises(StopAsyncIteration):
            await stream.event()


async def test_looks_are_found_by_who_at_what_when_and_whether_revealed(shop: Shop) -> None:
    order_id = await shop.placed()
    await ask(shop, f"/v1/orders/{order_id}", REASON)
    await ask(shop, "/v1/products")
    await ask(shop, "/v1/audit/looks", query={"limit": 1})
    first = (await looks(shop))[-1]
    found: list[tuple[dict[str, str | bool | int], list[int]]] = [
        ({}, [3, 2, 1]),
        ({"subject": AUDITOR, "revealed": False}, [3, 2]),
        ({"subject": "somebody"}, []),
        ({"order_id": str(order_id)}, [1]),
        ({"customer_id": str(CUSTOMER_ID)}, [1]),
        ({"customer_id": str(new_id())}, []),
        ({"revealed": True}, [1]),
        ({"until": first["looked_at"]}, []),
        ({"since": first["looked_at"]}, [3, 2, 1]),
    ]
    for query, numbers in found:
        assert [look["number"] for look in await looks(shop, **query)] == numbers, query
    page = (await shop.get("/v1/audit/looks", query={"limit": 2})).json()
    rest = (await shop.get("/v1/audit/looks", query={"limit": 2, "cursor": page["next_cursor"]})).json()
    assert [look["number"] for look in rest["items"]] == [1]


async def test_looks_are_for_auditors_and_staff(shop: Shop) -> None:
    answer = await shop.get("/v1/audit/looks", "orders:read", "orders:manage", subject=CUSTOMER)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")
