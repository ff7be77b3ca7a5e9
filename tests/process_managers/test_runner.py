"""The process on a real database: states, deadlines and commands change together or not at all."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any
from uuid import UUID

import pytest
from psycopg_pool import AsyncConnectionPool

from infra.event_log import Stored
from process_managers.deadlines import keep_time, tell
from process_managers.runner import run, subscription
from schemas.commands import Command, Sent, decode
from schemas.events import Event
from tests.appending import open_pool
from tests.examples import (
    NOON,
    ORDER_ID,
    OTHER_ORDER_ID,
    OTHER_SKU,
    TENANT,
    adjusted,
    cancelled,
    history,
    placed,
    received,
    released,
    requested,
    reserved,
    uuid,
)
from tests.process_managers.story import AUTHORISE, BOTH_RESERVED, DEADLINES, REQUEST, RESERVE, TO_CONFIRMED, cancel
from tests.waiting import eventually

pytestmark = pytest.mark.servers


@dataclass
class Fulfilment:
    pool: AsyncConnectionPool

    async def hears(self, *events: Event, order_id: UUID = ORDER_ID, now: datetime = NOON) -> None:
        """Apply a whole history as one batch."""
        await self.applies(stored(*events, order_id=order_id), now)

    async def applies(self, batch: Sequence[Stored], now: datetime = NOON) -> None:
        async with self.pool.connection() as connection, connection.transaction():
            await run(connection, batch, deadlines=DEADLINES, now=now)

    async def is_told_the_time(self, now: datetime) -> int:
        return await tell(self.pool, deadlines=DEADLINES, now=now)

    async def sent(self) -> list[Sent]:
        return [decode(body) for (body,) in await self.rows("SELECT body FROM outbox ORDER BY outbox_id")]

    async def asked(self) -> list[Command]:
        return [message.command for message in await self.sent()]

    async def rows(self, query: str) -> list[Any]:
        async with self.pool.connection() as connection:
            return await (await connection.execute(query)).fetchall()


@pytest.fixture
async def fulfilment(database: str) -> AsyncIterator[Fulfilment]:
    async with open_pool(database) as pool:
        yield Fulfilment(pool)


def stored(*events: Event, order_id: UUID = ORDER_ID) -> list[Stored]:
    return [Stored.of(place, recorded) for place, recorded in enumerate(history(*events, order_id=order_id), start=1)]


async def test_a_batch_stores_the_state_and_posts_the_commands(fulfilment: Fulfilment) -> None:
    await fulfilment.hears(placed())
    assert await fulfilment.rows(
        "SELECT process, process_id, tenant_id, phase, waiting_for, deadline_at, started_at, ended_at FROM processes"
    ) == [("order_fulfilment", ORDER_ID, TENANT, "reserving", "stock for 2 lines", NOON + DEADLINES.stock, NOON, None)]
    assert await fulfilment.asked() == list(RESERVE)


async def test_the_state_is_carried_from_batch_to_batch(fulfilment: Fulfilment) -> None:
    for batch in stored(placed(), *BOTH_RESERVED, requested()):
        await fulfilment.applies([batch])
    assert await fulfilment.asked() == [*RESERVE, REQUEST, AUTHORISE]


async def test_one_batch_tells_the_same_as_many(fulfilment: Fulfilment) -> None:
    await fulfilment.hears(placed(), *BOTH_RESERVED, requested())
    assert await fulfilment.asked() == [*RESERVE, REQUEST, AUTHORISE]
    assert await fulfilment.rows("SELECT phase FROM processes") == [("paying",)]


async def test_another_order_never_interferes(fulfilment: Fulfilment) -> None:
    await fulfilment.hears(placed())
    await fulfilment.hears(placed(), order_id=OTHER_ORDER_ID)
    await fulfilment.applies(stored(reserved(order_id=OTHER_ORDER_ID), reserved(1, OTHER_ORDER_ID, OTHER_SKU)))
    phases = dict(await fulfilment.rows("SELECT process_id, phase FROM processes"))
    assert phases == {ORDER_ID: "reserving", OTHER_ORDER_ID: "paying"}
    [request] = [message for message in await fulfilment.sent() if message.command.type == REQUEST.type]
    assert request.command == REQUEST.model_copy(update={"order_id": OTHER_ORDER_ID})


async def test_stock_that_concerns_no_order_begins_nothing(fulfilment: Fulfilment) -> None:
    await fulfilment.hears(received(), adjusted(), reserved())
    assert await fulfilment.rows("SELECT FROM processes") == []
    assert await fulfilment.asked() == []


async def test_what_is_rolled_back_leaves_neither_state_nor_command(fulfilment: Fulfilment) -> None:
    async with fulfilment.pool.connection() as connection, connection.transaction(force_rollback=True):
        await run(connection, stored(placed()), deadlines=DEADLINES, now=NOON)
    assert await fulfilment.rows("SELECT FROM processes") == []
    assert await fulfilment.asked() == []


async def test_a_command_carries_on_the_trace_of_its_cause(fulfilment: Fulfilment) -> None:
    [placing] = stored(placed())
    await fulfilment.applies([placing])
    for message in await fulfilment.sent():
        assert message.trace.correlation_id == placing.recorded.trace.correlation_id
        assert message.trace.causation_id == placing.recorded.event_id
        assert (message.tenant_id, message.actor, message.sent_at) == (TENANT, "process:order_fulfilment", NOON)


async def test_reacting_again_would_send_the_same_messages(fulfilment: Fulfilment) -> None:
    await fulfilment.hears(placed())
    first = await fulfilment.sent()
    await fulfilment.rows("DELETE FROM processes RETURNING 1")
    await fulfilment.rows("DELETE FROM outbox RETURNING 1")
    await fulfilment.hears(placed())
    assert await fulfilment.sent() == first


async def test_a_process_that_has_ended_says_when(fulfilment: Fulfilment) -> None:
    later = NOON + timedelta(hours=1)
    await fulfilment.hears(placed())
    events = stored(placed(), cancelled(), released(), released(1, sku=OTHER_SKU))
    await fulfilment.applies(events[1:], later)
    assert await fulfilment.rows(
        "SELECT phase, waiting_for, deadline_at, started_at, updated_at, ended_at FROM processes"
    ) == [("cancelled", "", None, NOON, later, later)]


async def test_a_passed_deadline_is_told_once(fulfilment: Fulfilment) -> None:
    await fulfilment.hears(placed())
    due = NOON + DEADLINES.stock
    assert await fulfilment.is_told_the_time(due - timedelta(microseconds=1)) == 0
    assert await fulfilment.is_told_the_time(due) == 1
    assert await fulfilment.is_told_the_time(due) == 0
    assert await fulfilment.asked() == [*RESERVE, cancel("stock_deadline")]


async def test_a_deadline_carries_on_the_correlation_of_the_order(fulfilment: Fulfilment) -> None:
    await fulfilment.hears(placed())
    await fulfilment.is_told_the_time(NOON + DEADLINES.stock)
    message = (await fulfilment.sent())[-1]
    assert message.trace.correlation_id == uuid("correlation")
    assert (message.tenant_id, message.actor) == (TENANT, "process:order_fulfilment")


async def test_a_deadline_that_only_a_person_can_help_is_shown_and_told_no_more(fulfilment: Fulfilment) -> None:
    await fulfilment.hears(*TO_CONFIRMED[:-1])
    due = NOON + DEADLINES.compensation
    assert await fulfilment.is_told_the_time(due) == 1
    assert await fulfilment.is_told_the_time(due + timedelta(days=999)) == 0
    assert await fulfilment.rows("SELECT phase, deadline_at FROM processes") == [("attention", None)]


async def test_several_timers_do_not_tell_the_same_deadline(fulfilment: Fulfilment) -> None:
    await fulfilment.hears(placed())
    async with fulfilment.pool.connection() as connection, connection.transaction():
        await connection.execute("SELECT FROM processes FOR UPDATE")
        assert await fulfilment.is_told_the_time(NOON + DEADLINES.stock) == 0


async def test_the_timer_goes_on_after_its_connection_was_cut(fulfilment: Fulfilment, database: str) -> None:
    clock = [NOON]
    await fulfilment.hears(placed())
    async with open_pool(f"{database}&application_name=timer") as pool:
        timer = asyncio.create_task(keep_time(pool, DEADLINES, lambda: clock[0]))
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'timer'"
        await eventually(partial(fulfilment.rows, cut))
        clock[0] += DEADLINES.stock

        async def is_cancelling() -> bool:
            return cancel("stock_deadline") in await fulfilment.asked()

        await eventually(is_cancelling)
        timer.cancel()
        await asyncio.wait([timer])


async def test_a_deadline_that_passed_while_nothing_ran_is_told_only_after_the_work_that_waited(
    fulfilment: Fulfilment,
) -> None:
    await fulfilment.hears(placed())
    began = monotonic()
    late = NOON + DEADLINES.stock
    timer = asyncio.create_task(keep_time(fulfilment.pool, DEADLINES, lambda: late, grace=0.5))

    async def is_cancelling() -> bool:
        return cancel("stock_deadline") in await fulfilment.asked()

    await eventually(is_cancelling)
    assert monotonic() - began >= 0.5
    timer.cancel()
    await asyncio.wait([timer])


async def test_a_deadline_column_that_the_state_does_not_know_is_put_right(fulfilment: Fulfilment) -> None:
    await fulfilment.hears(*TO_CONFIRMED[:-1])
    await fulfilment.is_told_the_time(NOON + DEADLINES.compensation)
    before = await fulfilment.asked()
    await fulfilment.rows("UPDATE processes SET deadline_at = now() RETURNING 1")
    assert await fulfilment.is_told_the_time(datetime.max.replace(tzinfo=NOON.tzinfo)) == 1
    assert await fulfilment.asked() == before
    assert await fulfilment.rows("SELECT deadline_at FROM processes") == [(None,)]


def test_the_subscription_hears_everything_about_orders() -> None:
    described = subscription(DEADLINES, lambda: NOON)
    assert described.name == "order_fulfilment"
    assert described.categories == {"order", "stock", "payment"}
