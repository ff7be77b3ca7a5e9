"""The story of an order over HTTP, with what the database holds about its commands, and by its indexes alone."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from psycopg import sql

from infra.event_log import Stored
from process_managers.history import ORDER_FULFILMENT
from query_api.history import evidence as evidence_of
from query_api.history.story import messages, reactions
from schemas.commands import encode, queue_of
from schemas.ids import new_id, payment_id
from schemas.recorded import Recorded
from tests.edges.query.platform import CUSTOMER, Platform, Shop
from tests.examples import NOON, TENANT
from tests.system.days import a_day

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

KNOWN = {"order_fulfilment": ORDER_FULFILMENT}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def day(platform: Platform) -> AsyncIterator[tuple[Shop, list[Recorded]]]:
    log = a_day(22)
    shop = Shop(platform, TENANT, await platform.write(*log))
    yield shop, log


def an_order(log: list[Recorded]) -> UUID:
    return next(each.stream_id for each in log if each.event.type == "order.completed.v1")


async def test_a_story_holds_every_event_of_the_timeline_in_causal_order(day: tuple[Shop, list[Recorded]]) -> None:
    shop, log = day
    told = (await shop.get(f"/v1/orders/{an_order(log)}/timeline")).json()
    events = {entry["event_id"] for entry in told["items"]}
    assert {entry["entry_id"] for entry in told["story"] if entry["kind"] == "event"} == events
    seen: set[str | None] = {None}
    for entry in told["story"]:
        assert entry["caused_by"] in seen
        seen.add(entry["entry_id"])
    kinds = {entry["kind"] for entry in told["story"]}
    assert kinds == {"request", "event", "command", "payment_attempt", "mail", "process_step", "read_models"}


async def test_the_story_can_be_left_out(day: tuple[Shop, list[Recorded]]) -> None:
    shop, log = day
    told = (await shop.get(f"/v1/orders/{an_order(log)}/timeline", query={"story": "false"})).json()
    assert (told["story"], told["waiting"]) == ([], [])
    assert told["items"]


async def test_what_became_of_each_command_is_told(day: tuple[Shop, list[Recorded]]) -> None:
    shop, log = day
    order_id = an_order(log)
    pool = shop.platform.runtime.pool
    events = await evidence_of.events_of(pool, order_id)
    sent = [message.sent for message in messages(reactions(events, KNOWN), KNOWN) if message.sent]
    mail, other_mail = [each for each in sent if each.command.type == "customer.notify.v1"][:2]
    reserve = next(each for each in sent if each.command.type == "stock.reserve.v1")
    async with pool.connection() as connection:
        await connection.execute(
            "INSERT INTO outbox (message_id, queue, body, attempts, last_error) VALUES (%s, %s, %s, 2, 'busy')",
            (mail.message_id, queue_of(mail.command), encode(mail)),
        )
        await connection.execute(
            "INSERT INTO inbox (consumer, message_id, received_at) VALUES ('notification', %s, %s)",
            (other_mail.message_id, NOON),
        )
        await connection.execute(
            "INSERT INTO dead_letters (dead_letter_id, kind, consumer, message_id, body, error, attempts) "
            "VALUES (%s, 'command', 'orders.inbox', %s, %s, 'no', 5)",
            (new_id(), reserve.message_id, encode(reserve)),
        )
    told = (await shop.get(f"/v1/orders/{order_id}/timeline")).json()
    status = {entry["entry_id"]: (entry["status"], entry["at"]) for entry in told["story"]}
    assert status[str(mail.message_id)][0] == "waiting"
    assert status[str(other_mail.message_id)] == ("done", "2026-03-02T12:00:00Z")
    assert status[str(reserve.message_id)][0] == "parked"
    errors = {each["for_what"]: each["error"] for each in told["waiting"] if each["error"]}
    assert errors.pop("customer.notify.v1 waits in notifications.work") == "busy"
    assert list(errors.values()) == ["no"]
    seen_by_customer = await shop.get(f"/v1/orders/{order_id}/timeline", "orders:read", subject=CUSTOMER)
    assert seen_by_customer.status_code == 200
    assert {each["error"] for each in seen_by_customer.json()["waiting"]} == {None}


async def test_what_a_process_waits_for_is_told(shop: Shop) -> None:
    order_id = await shop.placed()
    async with shop.platform.runtime.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO processes (process, process_id, tenant_id, phase, state, waiting_for, deadline_at, "
            "started_at, updated_at) "
            "VALUES ('order_fulfilment', %s, %s, 'reserving', '{}', 'stock for 1 line', %s, %s, %s)",
            (order_id, shop.tenant_id, NOON, NOON, NOON),
        )
    told = (await shop.get(f"/v1/orders/{order_id}/timeline")).json()["waiting"]
    said = "order_fulfilment waits for stock for 1 line, and is late"
    assert {"for_what": said, "until": "2026-03-02T12:00:00Z"}.items() <= next(
        each for each in told if each["for_what"] == said
    ).items()


def scanned(plan: Any) -> Iterator[str]:  # noqa: ANN401  # JSON is any value
    """Name the tables that a plan reads from end to end."""
    if isinstance(plan, list):
        for each in plan:
            yield from scanned(each)
    elif isinstance(plan, dict):
        if plan.get("Node Type") == "Seq Scan":
            yield plan["Relation Name"]
        yield from scanned(list(plan.values()))


async def test_every_part_is_read_by_an_index(day: tuple[Shop, list[Recorded]]) -> None:
    """Without sequential scans where an index can serve, none of a table that grows is left."""
    shop, log = day
    order_id = an_order(log)
    values = {
        "order_id": order_id,
        "tenant_id": TENANT,
        "streams": [order_id, payment_id(order_id)],
        "seen": [order_id, payment_id(order_id)],
        "messages": [new_id()],
        "keys": [str(new_id())],
        "positions": [1],
        "processes": ["order_fulfilment"],
        "subjects": ["inbox:worker:payment"],
    }
    async with shop.platform.runtime.pool.connection() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        for query in evidence_of.QUERIES:
            explained = sql.SQL("EXPLAIN (FORMAT JSON) {}").format(sql.SQL(query))
            row = await (await connection.execute(explained, values)).fetchone()
            assert row is not None
            assert set(scanned(row[0])) <= {"subscription_positions"}  # one row for each reader


async def test_the_story_of_a_foreign_order_is_not_told(day: tuple[Shop, list[Recorded]], rival: Shop) -> None:
    _, log = day
    answer = await rival.get(f"/v1/orders/{an_order(log)}/timeline")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/order-not-found")


async def test_a_story_is_whole_although_the_timeline_lacks_what_is_stuck(
    day: tuple[Shop, list[Recorded]],
) -> None:
    shop, log = day
    order_id = [each.stream_id for each in log if each.event.type == "order.completed.v1"][1]
    path = f"/v1/orders/{order_id}/timeline"
    whole = (await shop.get(path)).json()
    pool = shop.platform.runtime.pool
    async with pool.connection() as connection:
        rows = await connection.execute(
            "DELETE FROM order_timeline WHERE order_id = %s AND category = 'stock' RETURNING causation_id, position",
            (order_id,),
        )
        for message_id, position in await rows.fetchall():
            await connection.execute(
                "INSERT INTO idempotency_records (tenant_id, subject, key, fingerprint, response, position) "
                "VALUES (%s, 'inbox:process:order_fulfilment', %s, '', '', %s)",
                (TENANT, str(message_id), position),
            )
    stuck = (await shop.get(path)).json()
    assert len(stuck["items"]) < len(whole["items"])
    assert stuck["story"] == whole["story"]


async def test_events_are_read_in_the_order_of_the_log(day: tuple[Shop, list[Recorded]]) -> None:
    shop, log = day
    found = await evidence_of.events_of(shop.platform.runtime.pool, an_order(log))
    assert found == sorted(found, key=lambda stored: stored.position)
    assert {each.category for each in found} == {"order", "payment", "stock"}
    assert all(isinstance(each, Stored) for each in found)
