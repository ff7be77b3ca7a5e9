"""Whoever appends, a reader that tails the log by position meets every event, and each stream in version order."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from itertools import zip_longest
from uuid import UUID, uuid4

import psycopg
from eventsourcing.persistence import IntegrityError, StoredEvent

from infra.appender import Appender, ConcurrentChange
from infra.event_log import EventLog
from infra.recorder import LogRecorder, open_datastore
from tests.appending import a_command, open_pool

APPENDERS = 4
TASKS_OF_AN_APPENDER = 3
THREADS = 4
EVENTS = 20_000
Row = tuple[int, UUID, int]


class Tail:
    """Reads what is after the newest position that it has seen, as fast as it can."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self.rows: list[Row] = []
        self.stopping = False

    def run(self) -> None:
        query = (
            "SELECT notification_id, originator_id, originator_version FROM stored_events "
            "WHERE notification_id > %s ORDER BY notification_id"
        )
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            while True:
                last = self.stopping
                after = self.rows[-1][0] if self.rows else 0
                fresh: Sequence[Row] = connection.execute(query, (after,)).fetchall()
                self.rows += fresh
                if last and not fresh:
                    return


async def append_through(appender: Appender, tail: Tail, chance: random.Random) -> None:
    """Append 1 to 5 events at a time; about every twentieth command comes too late."""
    while len(tail.rows) < EVENTS:
        stream_id, version = uuid4(), 1
        for _ in range(5):
            late = version > 1 and chance.random() < 0.06
            events = chance.randint(1, 5)
            with suppress(ConcurrentChange):
                await appender.append(a_command(stream_id, 1 if late else version, events=events))
                version += events


def append_in_thread(recorder: LogRecorder, tail: Tail, chance: random.Random) -> None:
    while len(tail.rows) < EVENTS:
        stream_id, version = uuid4(), 1
        for _ in range(5):
            late = version > 1 and chance.random() < 0.06
            events = chance.randint(1, 5)
            first = version - 1 if late else version
            with suppress(IntegrityError):
                recorder.insert_events(
                    [StoredEvent(stream_id, first + n, "stock.received.v1", b"{}") for n in range(events)]
                )
                version += events


async def test_a_tailing_reader_misses_nothing_and_meets_every_stream_in_order(database: str) -> None:
    tail = Tail(database)
    tailing = asyncio.create_task(asyncio.to_thread(tail.run))
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(database))
        appenders = [await stack.enter_async_context(Appender(database, pool)) for _ in range(APPENDERS)]
        recorder = LogRecorder(stack.enter_context(open_datastore(database)))
        async with asyncio.TaskGroup() as writers:
            for seed in range(APPENDERS * TASKS_OF_AN_APPENDER):
                appending = append_through(appenders[seed % APPENDERS], tail, random.Random(seed))
                writers.create_task(appending)
            for seed in range(THREADS):
                thread = asyncio.to_thread(append_in_thread, recorder, tail, random.Random(seed))
                writers.create_task(thread)
        tail.stopping = True
        await tailing
        stored = await EventLog(pool).read(after=0, limit=1_000_000)
    assert len(stored) >= EVENTS
    logged = [(row.position, row.stream_id, row.version) for row in stored]
    unlike = [pair for pair in zip_longest(tail.rows, logged) if pair[0] != pair[1]]
    assert not unlike[:3]
    versions: defaultdict[UUID, list[int]] = defaultdict(list)
    for row in stored:
        versions[row.stream_id].append(row.version)
    assert all(found == list(range(1, len(found) + 1)) for found in versions.values())
