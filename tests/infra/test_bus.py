"""A posted command is delivered until it succeeds or is parked, whatever happens to the process meanwhile."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from infra.bus import LADDER as LADDER_OF_THE_BUS
from infra.bus import Handle, OutboxBus, post
from infra.signals import Signals
from schemas.commands import Sent
from schemas.ids import new_id
from tests.appending import open_pool
from tests.command_examples import authorise, cancel, confirm, sent
from tests.infra.mortal_bus import LADDER, LEASE
from tests.waiting import eventually

pytestmark = pytest.mark.servers


@dataclass
class Outbox:
    """A database with its outbox, the buses that run on it, and what they delivered."""

    dsn: str
    pool: AsyncConnectionPool
    signals: Signals
    delivered: list[Sent] = field(default_factory=list)

    async def take(self, message: Sent) -> None:
        self.delivered.append(message)

    async def post(self, *messages: Sent) -> None:
        async with self.pool.connection() as connection, connection.transaction():
            await post(connection, messages)

    async def rows(self, query: str) -> list[Any]:
        async with self.pool.connection() as connection:
            return await (await connection.execute(query)).fetchall()

    async def is_empty(self) -> bool:
        return await self.rows("SELECT FROM outbox") == []

    @asynccontextmanager
    async def bus(self, handle: Handle, *, concurrency: int = 8, lease: timedelta = LEASE) -> AsyncIterator[None]:
        bus = OutboxBus(self.pool, self.signals, ladder=LADDER, lease=lease)
        bus.consume("orders.inbox", handle, concurrency=concurrency)
        running = asyncio.create_task(bus.run())
        try:
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    async def drained(self) -> None:
        await eventually(self.is_empty)

    async def has_delivered(self, count: int) -> None:
        async def enough() -> bool:
            return len(self.delivered) >= count

        await eventually(enough)


@pytest.fixture
async def outbox(database: str) -> AsyncIterator[Outbox]:
    async with open_pool(database) as pool, Signals(database) as signals:
        yield Outbox(database, pool, signals)


def some(count: int) -> list[Sent]:
    return [sent(confirm(), cause=new_id()) for _ in range(count)]


def refusing(times: int, then: Handle) -> Handle:
    """Fail the first deliveries of each message."""
    failures: Counter[object] = Counter()

    async def handle(message: Sent) -> None:
        failures[message.message_id] += 1
        if failures[message.message_id] <= times:
            raise ConnectionError("ana@example.com hung up\nand gave her address")
        await then(message)

    return handle


async def test_every_posted_command_is_delivered_once_and_is_gone(outbox: Outbox) -> None:
    messages = some(200)
    async with outbox.bus(outbox.take):
        await outbox.post(*messages)
        await outbox.drained()
    assert sorted(outbox.delivered, key=str) == sorted(messages, key=str)


async def test_commands_are_taken_in_the_order_in_which_they_were_posted(outbox: Outbox) -> None:
    messages = some(20)
    await outbox.post(*messages)
    async with outbox.bus(outbox.take, concurrency=1):
        await outbox.drained()
    assert outbox.delivered == messages


async def test_what_is_rolled_back_is_never_sent(outbox: Outbox) -> None:
    async with outbox.pool.connection() as connection, connection.transaction(force_rollback=True):
        await post(connection, some(1))
    assert await outbox.is_empty()


async def test_a_message_that_still_waits_is_not_posted_twice(outbox: Outbox) -> None:
    [message] = some(1)
    await outbox.post(message, message)
    await outbox.post(message)
    async with outbox.bus(outbox.take):
        await outbox.drained()
    assert outbox.delivered == [message]


async def test_posting_nothing_is_fine(outbox: Outbox) -> None:
    await outbox.post()
    assert await outbox.is_empty()


async def test_a_queue_is_delivered_only_to_its_own_consumer(outbox: Outbox) -> None:
    other = sent(authorise())
    await outbox.post(other, *some(1))
    async with outbox.bus(outbox.take):
        await outbox.has_delivered(1)
    assert other not in outbox.delivered
    assert len(await outbox.rows("SELECT FROM outbox")) == 1


async def test_a_queue_has_one_consumer(outbox: Outbox) -> None:
    bus = OutboxBus(outbox.pool, outbox.signals)
    bus.consume("orders.inbox", outbox.take, concurrency=1)
    with pytest.raises(ValueError, match="has a consumer"):
        bus.consume("orders.inbox", outbox.take, concurrency=1)


async def test_a_failed_command_is_delivered_again_until_it_succeeds(outbox: Outbox) -> None:
    [message] = some(1)
    async with outbox.bus(refusing(2, outbox.take)):
        await outbox.post(message)
        await outbox.drained()
    assert outbox.delivered == [message]
    assert await outbox.rows("SELECT FROM dead_letters") == []


async def test_a_failed_command_waits_on_its_step_of_the_ladder(outbox: Outbox) -> None:
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
    assert [pause.total_seconds() for pause in LADDER_OF_THE_BUS] == [1, 10, 60, 600]


async def test_a_command_that_fails_on_every_step_is_parked_with_its_reason_and_body(outbox: Outbox) -> None:
    [message] = some(1)
    async with outbox.bus(refusing(99, outbox.take)):
        await outbox.post(message)
        await outbox.drained()
    [(kind, consumer, message_id, body, error, attempts, status)] = await outbox.rows(
        "SELECT kind, consumer, message_id, body, error, attempts, status FROM dead_letters"
    )
    assert (kind, consumer, message_id, attempts, status) == (
        "command",
        "orders.inbox",
        message.message_id,
        3,
        "parked",
    )
    assert Sent.model_validate_json(body) == message
    assert error == "ConnectionError: <address> hung up"


async def test_a_parked_command_that_is_sent_again_and_fails_again_is_parked_again(outbox: Outbox) -> None:
    [message] = some(1)
    async with outbox.bus(refusing(99, outbox.take)):
        for _ in range(2):
            await outbox.post(message)
            await outbox.drained()
    assert len(await outbox.rows("SELECT FROM dead_letters")) == 1


async def test_a_body_that_is_no_command_is_parked(outbox: Outbox) -> None:
    await outbox.rows(
        "INSERT INTO outbox (message_id, queue, body) VALUES (gen_random_uuid(), 'orders.inbox', '{}') RETURNING 1"
    )
    async with outbox.bus(outbox.take):
        await outbox.drained()
    [(error,)] = await outbox.rows("SELECT error FROM dead_letters")
    assert error == "ValidationError: 6 validation errors for Sent"


async def test_one_failing_command_does_not_hold_up_the_others(outbox: Outbox) -> None:
    bad, *good = some(30)

    async def handle(message: Sent) -> None:
        if message == bad:
            raise ConnectionError
        await outbox.take(message)

    async with outbox.bus(handle, concurrency=2):
        await outbox.post(bad, *good)
        await outbox.drained()
    assert outbox.delivered == good


async def test_a_slow_command_holds_up_only_its_own_place(outbox: Outbox) -> None:
    slow, *quick = some(30)
    release = asyncio.Event()

    async def handle(message: Sent) -> None:
        if message == slow:
            await release.wait()
        await outbox.take(message)

    async with outbox.bus(handle, concurrency=2):
        await outbox.post(slow, *quick)
        await outbox.has_delivered(len(quick))
        release.set()
        await outbox.drained()
    assert outbox.delivered == [*quick, slow]


async def test_no_more_commands_are_under_way_than_the_consumer_allows(outbox: Outbox) -> None:
    under_way = peak = 0

    async def handle(message: Sent) -> None:
        nonlocal under_way, peak
        under_way += 1
        peak = max(peak, under_way)
        await asyncio.sleep(0.005)
        under_way -= 1
        await outbox.take(message)

    async with outbox.bus(handle, concurrency=4):
        await outbox.post(*some(60))
        await outbox.drained()
    assert peak == 4


async def test_several_dispatchers_share_the_work_and_deliver_nothing_twice(outbox: Outbox) -> None:
    messages, lease = some(300), timedelta(seconds=10)  # longer than a busy machine may stall
    buses = [outbox.bus(outbox.take, lease=lease) for _ in range(3)]
    async with buses[0], buses[1], buses[2]:
        await outbox.post(*messages)
        await outbox.drained()
    assert Counter(message.message_id for message in outbox.delivered) == Counter(
        message.message_id for message in messages
    )


async def test_a_handler_that_outlasts_the_lease_keeps_its_command(outbox: Outbox) -> None:
    lease = timedelta(seconds=1)  # renewed each third of it, which leaves a busy machine time to stall

    async def handle(message: Sent) -> None:
        await outbox.take(message)
        await asyncio.sleep(3 * lease.total_seconds())

    async with outbox.bus(handle, lease=lease), outbox.bus(handle, lease=lease):
        await outbox.post(*some(1))
        await outbox.drained()
    assert len(outbox.delivered) == 1


async def test_a_bus_that_is_stopped_gives_back_what_was_under_way(outbox: Outbox) -> None:
    async def handle(message: Sent) -> None:
        await outbox.take(message)
        await asyncio.Event().wait()

    async with outbox.bus(handle, lease=timedelta(hours=1)):
        await outbox.post(*some(3))
        await outbox.has_delivered(3)
    rows = await outbox.rows("SELECT attempts, available_at <= now() FROM outbox")
    assert rows == [(0, True)] * 3


async def test_the_bus_goes_on_after_its_connections_were_cut(outbox: Outbox) -> None:
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


async def killed(outbox: Outbox, file: Path) -> int:
    """Run the mortal bus until it dies of a command or has nothing left; give how it ended."""
    arguments = ("-m", "tests.infra.mortal_bus", outbox.dsn, str(file))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments)
    ended = asyncio.create_task(process.wait())

    async def is_over() -> bool:
        return ended.done() or await outbox.is_empty()

    await eventually(is_over, 30)
    if not ended.done():
        process.terminate()
    return await ended


def _lines(file: Path) -> Sequence[str]:
    return file.read_text().split() if file.exists() else ()


async def test_a_command_whose_process_is_killed_before_it_was_settled_is_delivered_again(
    outbox: Outbox, tmp_path: Path
) -> None:
    message = sent(cancel(), cause=new_id())
    await outbox.post(message)
    assert await killed(outbox, tmp_path / "handled") < 0
    assert await outbox.rows("SELECT attempts FROM outbox") == [(1,)]
    async with outbox.bus(outbox.take):
        await outbox.drained()
    assert outbox.delivered == [message]


async def test_a_command_that_kills_every_process_is_parked_and_its_neighbours_are_not(
    outbox: Outbox, tmp_path: Path
) -> None:
    poison, neighbours = sent(cancel(), cause=new_id()), some(20)
    await outbox.post(*neighbours[:10], poison, *neighbours[10:])
    file = tmp_path / "handled"
    deaths = 0
    while not await outbox.is_empty():
        deaths += await killed(outbox, file) < 0
        assert deaths < 10
    handled = _lines(file)
    assert handled.count(str(poison.message_id)) == 3
    assert {str(message.message_id) for message in neighbours} <= set(handled)
    [(message_id, error)] = await outbox.rows("SELECT message_id, error FROM dead_letters")
    assert (message_id, error) == (poison.message_id, "The process ended during each attempt")
