"""How the outbox keeps, delays and gives back commands; what both buses promise is in `test_bus_contract`."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial

import psycopg
import pytest

from infra.bus import LADDER, OutboxBus, post
from infra.signals import Signals
from schemas.commands import Sent
from tests.appending import open_pool
from tests.infra.bus_rigs import OutboxRig, refusing, some
from tests.waiting import eventually

pytestmark = pytest.mark.servers


@pytest.fixture
async def outbox(database: str) -> AsyncIterator[OutboxRig]:
    async with open_pool(database) as pool, Signals(database) as signals:
        yield OutboxRig(database, pool, signals)


async def test_what_is_rolled_back_is_never_sent(outbox: OutboxRig) -> None:
    async with outbox.pool.connection() as connection, connection.transaction(force_rollback=True):
        await post(connection, some(1))
    assert await outbox.is_drained()


async def test_a_message_that_still_waits_is_not_posted_twice(outbox: OutboxRig) -> None:
    [message] = some(1)
    await outbox.post(message, message)
    await outbox.post(message)
    async with outbox.bus(outbox.take):
        await outbox.drained()
    assert outbox.delivered == [message]


async def test_posting_nothing_is_fine(outbox: OutboxRig) -> None:
    await outbox.post()
    assert await outbox.is_drained()


async def test_a_failed_command_waits_on_its_step_of_the_ladder(outbox: OutboxRig) -> None:
    ladder = [timedelta(minutes=minutes) for minutes in (10, 20, 30)]
    bus = OutboxBus(outbox.pool, outbox.signals, ladder=ladder)
    bus.consume("orders.inbox", refusing(9, outbox.take), concurrency=1)
    running = asyncio.create_task(bus.run())
    await outbox.post(*some(1))
    waits = "SELECT available_at - now() FROM outbox WHERE last_error IS NOT NULL AND attempts = %d"
    for attempt, pause in enumerate(ladder, start=1):
        [(wait,)] = await eventually(partial(outbox.rows, waits % attempt))
        assert pause - timedelta(minutes=5) < wait <= pause
        await outbox.rows("UPDATE outbox SET available_at = now() RETURNING 1")
    await eventually(partial(outbox.rows, "SELECT FROM dead_letters"))
    running.cancel()
    await asyncio.wait([running])


def test_the_ladder_begins_with_a_second_and_ends_with_ten_minutes() -> None:
    assert [pause.total_seconds() for pause in LADDER] == [1, 10, 60, 600]


async def test_a_handler_that_outlasts_the_lease_keeps_its_command(outbox: OutboxRig) -> None:
    outbox.lease = timedelta(seconds=1)  # renewed each third of it, which leaves a busy machine time to stall

    async def handle(message: Sent) -> None:
        await outbox.take(message)
        await asyncio.sleep(3 * outbox.lease.total_seconds())

    async with outbox.bus(handle), outbox.bus(handle):
        await outbox.post(*some(1))
        await outbox.drained()
    assert len(outbox.delivered) == 1


async def test_a_bus_that_is_stopped_gives_back_what_was_under_way(outbox: OutboxRig) -> None:
    async def handle(message: Sent) -> None:
        await outbox.take(message)
        await asyncio.Event().wait()

    outbox.lease = timedelta(hours=1)
    async with outbox.bus(handle):
        await outbox.post(*some(3))
        await outbox.has_delivered(3)
    rows = await outbox.rows("SELECT attempts, available_at <= now() FROM outbox")
    assert rows == [(0, True)] * 3


async def test_the_bus_goes_on_after_its_connections_were_cut(outbox: OutboxRig) -> None:
    async with outbox.bus(outbox.take):
        await outbox.post(*some(1))
        await outbox.drained()
        with psycopg.connect(outbox.dsn, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            other.execute(
                "INSERT INTO outbox (message_id, queue, body) VALUES (gen_random_uuid(), 'orders.inbox', %b)",
                (some(1)[0].model_dump_json().encode(),),
            )
        await outbox.has_delivered(2)
