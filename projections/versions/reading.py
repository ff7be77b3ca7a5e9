"""Read a stretch of the log, the next page while the last one is folded."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from psycopg import AsyncConnection

from infra.event_log import COLUMNS, Stored
from projections.projector import Prepare

_READ: Final = COLUMNS + (
    "WHERE notification_id > %s AND notification_id <= %s AND split_part(topic, '.', 1) = ANY(%s) "
    "ORDER BY notification_id LIMIT %s"
)


async def as_they_are(events: Sequence[Stored]) -> Sequence[Stored]:
    return events


@dataclass(frozen=True, slots=True)
class Steps:
    """In events of the log."""

    page: int = 2_000
    """What is read at once."""
    some: int = 100
    """What is given at once."""
    checkpoint: int = 100_000
    """What a kill costs, about."""
    prepare: Prepare = as_they_are
    """What is done with events before they are folded, as the live projector does."""


USUAL: Final = Steps()


async def pages(
    connection: AsyncConnection[Any], steps: Steps, *, after: int, until: int, categories: Iterable[str]
) -> AsyncGenerator[list[Stored], None]:
    """Give some events at a time, in the order of the log. Close it when it is left early (`aclosing`)."""
    wanted = sorted(categories)

    async def read(position: int) -> list[tuple[Any, ...]]:
        return await _found(connection, _READ, (position, until, wanted, steps.page))

    page = asyncio.create_task(read(after))
    try:
        while batch := await page:
            page = asyncio.create_task(read(batch[-1][0]))
            await asyncio.sleep(0)  # sends it, so that the server works while the caller does
            for start in range(0, len(batch), steps.some):
                yield list(map(Stored._make, batch[start : start + steps.some]))
    finally:
        page.cancel()
        with suppress(asyncio.CancelledError):
            await page


async def rows(connection: AsyncConnection[Any], query: str, values: Sequence[Any] | Mapping[str, Any]) -> list[Stored]:
    """Run a query that gives the columns of the log in their order."""
    return list(map(Stored._make, await _found(connection, query, values)))


async def _found(
    connection: AsyncConnection[Any], query: str, values: Sequence[Any] | Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(query.encode(), values)
        return await cursor.fetchall()
