"""One tail of the log for all readers of a process, whatever happens to its signals."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import psycopg
import pytest
from pydantic import ValidationError

from infra.event_log import EventLog, Stored
from infra.feed import Feed
from infra.signals import EVENTS, Signals
from tests.appending import OpenLog, a_command, open_feed, open_log


@dataclass(frozen=True, slots=True)
class Fed:
    opened: OpenLog
    signals: Signals
    feed: Feed

    async def append(self, *, events: int = 1) -> None:
        await self.opened.appender.append(a_command(uuid4(), events=events))


@pytest.fixture
async def fed(database: str) -> AsyncIterator[Fed]:
    """A feed that has begun to follow."""
    async with open_log(database) as opened, open_feed(database, opened.pool) as (signals, feed):
        await feed.read(after=0, wait=0)
        yield Fed(opened, signals, feed)


async def read_all(feed: Feed, *, after: int = 0, limit: int = 500, until: int) -> list[Stored]:
    """Read in pages until a position is reached."""
    read: list[Stored] = []
    while (reached := read[-1].position if read else after) < until:
        read += await feed.read(after=reached, limit=limit)
    return read


async def test_what_is_appended_is_read_in_commit_order(fed: Fed) -> None:
    for _ in range(3):
        await fed.append(events=2)
    assert [stored.position for stored in await read_all(fed.feed, until=6)] == [1, 2, 3, 4, 5, 6]


async def test_a_reader_that_waits_is_woken_by_an_append(fed: Fed) -> None:
    reading = asyncio.create_task(fed.feed.read(after=0, wait=30))
    await asyncio.sleep(0)
    await fed.append()
    async with asyncio.timeout(5):
        assert [stored.position for stored in await reading] == [1]


async def test_without_anything_new_the_answer_is_empty_in_the_end(fed: Fed) -> None:
    assert await fed.feed.read(after=0, wait=0.01) == []


async def test_all_readers_share_one_decoded_event(fed: Fed) -> None:
    await fed.append()
    (first,) = await read_all(fed.feed, until=1)
    (second,) = await read_all(fed.feed, until=1)
    assert first.recorded is second.recorded


async def test_a_reader_behind_the_ring_goes_on_from_the_log(database: str) -> None:
    async with (
        open_log(database) as opened,
        Signals(database) as signals,
        Feed(EventLog(opened.pool), signals, ring=4) as feed,
    ):
        await feed.read(after=0, wait=0)
        for _ in range(20):
            await opened.appender.append(a_command(uuid4()))
        await read_all(feed, after=19, until=20)
        read = await read_all(feed, limit=3, until=20)
    assert [stored.position for stored in read] == list(range(1, 21))


async def test_what_was_there_before_the_feed_is_read_from_the_log(database: str) -> None:
    async with open_log(database) as opened:
        await opened.appender.append(a_command(uuid4(), events=3))
        async with open_feed(database, opened.pool) as (_, feed):
            await opened.appender.append(a_command(uuid4()))
            read = await read_all(feed, until=4)
    assert [stored.position for stored in read] == [1, 2, 3, 4]


async def test_nobody_polls_for_a_feed_that_nobody_reads(database: str) -> None:
    async with open_log(database) as opened, open_feed(database, opened.pool) as (_, feed):
        assert "feed" not in {task.get_name() for task in asyncio.all_tasks()}
        await feed.read(after=0, wait=0)
        assert "feed" in {task.get_name() for task in asyncio.all_tasks()}


async def test_without_any_signal_polling_finds_the_event(database: str) -> None:
    async with open_log(database) as opened, Feed(EventLog(opened.pool), Signals(database)) as feed:
        await opened.appender.append(a_command(uuid4()))
        assert [stored.position for stored in await feed.read(after=0, wait=10)] == [1]


async def test_the_feed_outlives_a_lost_connection(fed: Fed, database: str) -> None:
    await fed.append()
    await read_all(fed.feed, until=1)
    with psycopg.connect(database, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await fed.append()
    assert [stored.position for stored in await read_all(fed.feed, after=1, until=2)] == [2]


async def test_an_event_that_cannot_be_decoded_is_passed_on_as_it_is(fed: Fed) -> None:
    async with fed.opened.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (%s, 1, %s, %s)",
            (uuid4(), "order.placed.v9", b"{not json"),
        )
    await fed.append()
    unknown, known = await read_all(fed.feed, until=2)
    assert (unknown.topic, unknown.category, unknown.state) == ("order.placed.v9", "order", b"{not json")
    with pytest.raises(ValidationError):
        _ = unknown.recorded
    assert known.recorded.version == 1


async def test_a_signal_reaches_a_waiter_that_was_busy(fed: Fed) -> None:
    waiter = fed.signals.waiter(EVENTS)
    fed.signals.poke(EVENTS)
    async with asyncio.timeout(5):
        await waiter.wait(30)


async def test_a_commit_elsewhere_wakes_a_waiter(fed: Fed) -> None:
    waiter = fed.signals.waiter(EVENTS)
    await waiter.wait(1)  # the signal that everybody gets once it listens
    await fed.append()
    async with asyncio.timeout(5):
        await waiter.wait(30)


async def test_listening_again_wakes_everybody(fed: Fed, database: str) -> None:
    waiter = fed.signals.waiter(EVENTS)
    await waiter.wait(1)
    with psycopg.connect(database, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
    async with asyncio.timeout(5):
        await waiter.wait(30)
