"""Apply a batch of events to the tables of read models: one query, folds in memory, one statement."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from psycopg import AsyncConnection

from infra.event_log import Stored
from infra.subscription import Subscription
from projections.read_model import ReadModel
from projections.table import Table, json_of
from schemas.base import Category

Prepare = Callable[[Sequence[Stored]], Awaitable[Sequence[Stored]]]


def fill(name: str, *models: ReadModel[Any], pace: float, rest: float, prepare: Prepare | None = None) -> Subscription:
    """Give the subscription that fills the tables of some read models together; `prepare` is given each batch first.

    They share one guard and one position, so that a batch costs one transaction and the tables never disagree; an event
    that one of them cannot apply is parked for all of them.
    """
    categories = frozenset[Category]().union(*(model.categories for model in models))
    apply = Projector(*models).apply

    async def prepared(connection: AsyncConnection[Any], batch: Sequence[Stored]) -> None:
        await apply(connection, batch if prepare is None else await prepare(batch))

    return Subscription(name, categories, prepared, pace=pace, rest=rest)


class Projector:
    """Neither guards nor commits: a subscription calls `apply` inside the transaction that does both."""

    def __init__(self, *models: ReadModel[Any]) -> None:
        self._tables = [Table(model) for model in models]
        self._load = b"SELECT " + b", ".join(table.found for table in self._tables)
        self._store = b"WITH " + b", ".join(table.stored for table in self._tables) + b" SELECT"

    async def apply(self, connection: AsyncConnection[Any], batch: Sequence[Stored]) -> None:
        """Raises what a fold raises; then nothing has been written."""
        found = await self._found(connection, batch)
        changed = [
            table.model.changed(table.rows(rows), table.wanted(batch))
            for table, rows in zip(self._tables, found, strict=True)
        ]
        if any(changed):
            await connection.execute(self._store, [json_of(row.__dict__ for row in rows.values()) for rows in changed])

    async def rows(self, connection: AsyncConnection[Any], batch: Sequence[Stored]) -> dict[str, dict[str, Any]]:
        """Give the rows that a batch touches and that exist, named by table and key."""
        found = await self._found(connection, batch)
        return {name: row for table, rows in zip(self._tables, found, strict=True) for name, row in table.named(rows)}

    async def _found(self, connection: AsyncConnection[Any], batch: Sequence[Stored]) -> Sequence[str]:
        asked = [table.asked(table.model.touched(table.wanted(batch))) for table in self._tables]
        return await (await connection.execute(self._load, asked)).fetchone() or ()
