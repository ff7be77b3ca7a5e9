"""Read the event log: one stream in version order, or everything in the order in which it was committed."""

from collections.abc import AsyncIterator
from functools import cached_property
from typing import Any, Final, NamedTuple, Self, cast
from uuid import UUID

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from schemas.base import Category
from schemas.recorded import Recorded, decode, encode


class _Row(NamedTuple):
    position: int
    """Grows in commit order, with holes: the next position is not always the next number."""
    stream_id: UUID
    version: int
    topic: str
    """Wire name of the event, such as `order.placed.v2`."""
    state: bytes


class Stored(_Row):
    """One row of the log. What the columns say is always readable; `recorded` is decoded on first use, then kept."""

    @classmethod
    def of(cls, position: int, recorded: Recorded) -> Self:
        """Give the row that the log would hold for an event."""
        return cls(position, recorded.stream_id, recorded.version, recorded.event.type, encode(recorded))

    @cached_property
    def recorded(self) -> Recorded:
        """The event. Raises pydantic.ValidationError when the stored bytes are not one that this release knows."""
        return decode(self.state)

    def read_as(self, recorded: Recorded) -> Self:
        """Give the same row, whose event is read as this one."""
        copy = type(self)(*self)
        copy.__dict__["recorded"] = recorded
        return copy

    @property
    def category(self) -> Category:
        return cast("Category", self.topic.partition(".")[0])


COLUMNS: Final = "SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events "
"""The beginning of every query that gives rows of the log as `Stored`."""
_LOAD: Final = COLUMNS + "WHERE originator_id = %s AND originator_version > %s ORDER BY originator_version"
_PAGE: Final = _LOAD + " LIMIT %s"
_READ: Final = COLUMNS + "WHERE notification_id > %s ORDER BY notification_id LIMIT %s"
HEAD: Final = "SELECT coalesce(max(notification_id), 0) FROM stored_events"
"""The query for the newest position; 0 when the log is empty."""


async def load(connection: AsyncConnection[Any], stream_id: UUID, *, after_version: int = 0) -> list[Stored]:
    """Give a stream in version order, as the caller's transaction sees it; empty when it does not exist."""
    return await _rows(connection, _LOAD, (stream_id, after_version))


class EventLog:
    """Raises psycopg.OperationalError (PoolTimeout is one) when the database cannot be reached."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool

    async def load(self, stream_id: UUID, *, after_version: int = 0) -> list[Stored]:
        """Give a stream in version order; empty when it does not exist."""
        async with self._pool.connection() as connection:
            return await load(connection, stream_id, after_version=after_version)

    async def pages(self, stream_id: UUID, *, size: int = 500) -> AsyncIterator[list[Stored]]:
        """Give a stream in version order, a page at a time, so that a long one keeps nobody waiting."""
        after = 0
        while True:
            async with self._pool.connection() as connection:
                page = await _rows(connection, _PAGE, (stream_id, after, size))
            if page:
                yield page
            if len(page) < size:
                return
            after = page[-1].version

    async def read(self, *, after: int, limit: int) -> list[Stored]:
        """Give what was committed after a position, in commit order. Nothing is ever added before what was given."""
        async with self._pool.connection() as connection:
            return await _rows(connection, _READ, (after, limit))

    async def head(self) -> int:
        """Give the position of the newest event; 0 when there is none."""
        async with self._pool.connection() as connection:
            row = await (await connection.execute(HEAD)).fetchone()
        return int(row[0]) if row else 0


async def _rows(connection: AsyncConnection[Any], query: str, parameters: tuple[object, ...]) -> list[Stored]:
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(query, parameters)
        return list(map(Stored._make, await cursor.fetchall()))
