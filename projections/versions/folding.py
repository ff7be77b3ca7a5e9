"""Fold long stretches of the log with the rows in memory, so that a row is written once a stretch."""

from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

from psycopg import AsyncConnection

from infra.event_log import Stored
from infra.follower import described
from projections.read_model import EventMissing, Key
from projections.table import Table
from schemas.recorded import decode

_MOST_ROWS: Final = 200_000
_AT_ONCE: Final = 5_000


class CannotFold(Exception):  # noqa: N818  # a state of the world
    """An event that the live projector has applied, or would park; says which and why, without quoting it."""

    def __init__(self, stored: Stored, table: Table, error: Exception) -> None:
        where = f"position {stored.position}, version {stored.version} of stream {stored.stream_id}"
        super().__init__(f"{table.model.name} cannot take {where}: {described(error)}")


class Folding:
    """Rows in front of tables that nobody else writes to."""

    def __init__(self, tables: Sequence[Table], *, empty: bool = False) -> None:
        """In empty tables nothing is looked for before rows are forgotten."""
        self._tables = [(table, _Rows(whole=empty)) for table in tables]

    async def take(self, connection: AsyncConnection[Any], batch: Sequence[Stored], *, lenient: bool = False) -> int:
        """Raises CannotFold, after which this must not be used any more.

        No event is kept decoded: the next one then uses the same memory, which is twice as fast.

        `lenient` leaves out events whose beginning is missing; gives how many those are, counted once per table.
        """
        for table, rows in self._tables:
            await rows.load(connection, table, batch)
        left_out = 0
        for stored in batch:
            recorded = None
            for table, rows in self._tables:
                if stored.category in table.model.categories:
                    try:
                        recorded = recorded or vars(stored).pop("recorded", None) or decode(stored.state)
                        table.model.take(rows.kept, rows.changed, recorded, stored.position)
                    except Exception as error:
                        if not (lenient and isinstance(error, EventMissing)):
                            raise CannotFold(stored, table, error) from error
                        left_out += 1
        return left_out

    async def flush(self, connection: AsyncConnection[Any]) -> None:
        """Write the rows that have changed, in the caller's transaction."""
        for table, rows in self._tables:
            await rows.flush(connection, table)

    def touched(self) -> list[set[Key]]:
        """Give, per table, the keys of the rows that have changed since the last flush."""
        return [set(rows.changed) for _, rows in self._tables]


class _Rows:
    def __init__(self, *, whole: bool) -> None:
        self.kept: dict[Key, Any] = {}
        self.changed: set[Key] = set()
        self._whole = whole

    async def load(self, connection: AsyncConnection[Any], table: Table, batch: Sequence[Stored]) -> None:
        if self._whole:
            return
        if unknown := table.model.touched(table.wanted(batch)) - self.kept.keys():
            self.kept |= await table.load(connection, unknown)

    async def flush(self, connection: AsyncConnection[Any], table: Table) -> None:
        rows = (self.kept[key] for key in self.changed)
        while some := list(islice(rows, _AT_ONCE)):
            await table.store(connection, some)
        self.changed.clear()
        if len(self.kept) > _MOST_ROWS:
            self.kept.clear()
            self._whole = False
