"""Commands for the tests of the log, and a log to append them to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from psycopg_pool import AsyncConnectionPool

from infra.appender import Append, Appender, Once
from infra.event_log import EventLog
from infra.feed import Feed
from infra.signals import Signals
from schemas.ids import new_id
from schemas.recorded import Recorded, encode
from tests.examples import placed, recorded


def an_event(stream_id: UUID, version: int) -> Recorded:
    return recorded(placed(), version, order_id=stream_id, event_id=new_id())


def once(key: str | None = None, fingerprint: bytes = b"asked") -> Once:
    return Once("kaffa", "user:ana", key or str(new_id()), fingerprint)


def a_command(stream_id: UUID, version: int = 1, *, events: int = 1, by: Once | None = None) -> Append:
    """Append `events` events to a stream, the first with `version`."""
    return appending(*(an_event(stream_id, version + number) for number in range(events)), by=by)


def appending(*events: Recorded, by: Once | None = None) -> Append:
    return Append(events, tuple(map(encode, events)), by or once(), b"answer")


@dataclass(frozen=True, slots=True)
class OpenLog:
    pool: AsyncConnectionPool
    log: EventLog
    appender: Appender


@asynccontextmanager
async def open_pool(dsn: str) -> AsyncIterator[AsyncConnectionPool]:
    async with AsyncConnectionPool(dsn, kwargs={"autocommit": True}, min_size=1, max_size=10, open=False) as pool:
        yield pool


@asynccontextmanager
async def open_log(dsn: str, *, lock_timeout: float = 3.0, capacity: int = 10_000) -> AsyncIterator[OpenLog]:
    async with (
        open_pool(dsn) as pool,
        Appender(dsn, pool, lock_timeout=lock_timeout, capacity=capacity) as appender,
    ):
        yield OpenLog(pool, EventLog(pool), appender)


@asynccontextmanager
async def open_feed(dsn: str, pool: AsyncConnectionPool) -> AsyncIterator[tuple[Signals, Feed]]:
    async with Signals(dsn) as signals, Feed(EventLog(pool), signals) as feed:
        yield signals, feed
