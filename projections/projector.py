"""Apply a batch of events to the tables of read models: one query, folds in memory, one statement."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from psycopg import AsyncConnection, sql
from pydantic import TypeAdapter
from pydantic_core import to_json

from infra.event_log import Stored
from infra.subscription import Subscription
from projections.read_model import Key, ReadModel
from schemas.base import Category

# Rows travel as one JSON document each way, so that PostgreSQL takes the column types from the table itself.
_FOUND: Final = sql.SQL(
    "(SELECT coalesce(json_agg(found), '[]')::text FROM (SELECT {columns} FROM {table} JOIN "
    "(SELECT {key} FROM json_populate_recordset(NULL::{table}, %s::json)) AS touched USING ({key})) AS found)"
)
_STORED: Final = sql.SQL(
    "{name} AS (INSERT INTO {table} ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::{table}, %s::json) "
    "ON CONFLICT ({key}) DO UPDATE SET {changes})"
)


def fill(name: str, *models: ReadModel[Any], pace: float, rest: float) -> Subscription:
    """Give the subscription that fills the tables of some read models together.

    They share one guard and one position, so that a batch costs one transaction and the tables never disagree; an event
    that one of them cannot apply is parked for all of them.
    """
    categories = frozenset[Category]().union(*(model.categories for model in models))
    return Subscription(name, categories, Projector(*models).apply, pace=pace, rest=rest)


class Projector:
    """Neither guards nor commits: a subscription calls `apply` inside the transaction that does both."""

    def __init__(self, *models: ReadModel[Any]) -> None:
        self._tables = [_Table(model) for model in models]
        self._load = b"SELECT " + b", ".join(table.found for table in self._tables)
        self._store = b"WITH " + b", ".join(table.stored for table in self._tables) + b" SELECT"

    async def apply(self, connection: AsyncConnection[Any], batch: Sequence[Stored]) -> None:
        """Raises what a fold raises; then nothing has been written."""
        found = await self._found(connection, batch)
        changed = [table.changed(rows, batch) for table, rows in zip(self._tables, found, strict=True)]
        if any(changed):
            await connection.execute(self._store, [_json(row.__dict__ for row in rows.values()) for rows in changed])

    async def rows(self, connection: AsyncConnection[Any], batch: Sequence[Stored]) -> dict[str, dict[str, Any]]:
        """Give the rows that a batch touches and that exist, named by table and key."""
        found = await self._found(connection, batch)
        return {name: row for table, rows in zip(self._tables, found, strict=True) for name, row in table.named(rows)}

    async def _found(self, connection: AsyncConnection[Any], batch: Sequence[Stored]) -> Sequence[str]:
        asked = [table.asked(batch) for table in self._tables]
        return await (await connection.execute(self._load, asked)).fetchone() or ()


class _Table:
    def __init__(self, model: ReadModel[Any]) -> None:
        self._model = model
        self._rows = TypeAdapter(list[model.row])  # type: ignore[name-defined]  # a type that is known at run time
        columns = tuple(model.row.model_fields)
        names = {"table": sql.Identifier(model.name), "columns": _names(columns), "key": _names(model.key)}
        changes = sql.SQL(", ").join(
            sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(column))
            for column in columns
            if column not in model.key
        )
        self.found = _FOUND.format(**names).as_bytes()
        self.stored = _STORED.format(name=sql.Identifier(f"stored_{model.name}"), changes=changes, **names).as_bytes()

    def asked(self, batch: Sequence[Stored]) -> str:
        """Give the keys of the rows that a batch touches."""
        return _json(dict(zip(self._model.key, key, strict=True)) for key in self._model.touched(self._wanted(batch)))

    def changed(self, found: str, batch: Sequence[Stored]) -> Mapping[Key, Any]:
        rows = {self._key(row): row for row in self._rows.validate_json(found)}
        return self._model.changed(rows, self._wanted(batch))

    def named(self, found: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for row in self._rows.validate_json(found):
            yield f"{self._model.name} {' '.join(map(str, self._key(row)))}", row.__dict__

    def _wanted(self, batch: Sequence[Stored]) -> list[Stored]:
        return [stored for stored in batch if stored.category in self._model.categories]

    def _key(self, row: Any) -> Key:  # noqa: ANN401  # of whatever type the read model has
        return tuple(getattr(row, column) for column in self._model.key)


def _names(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _json(values: Iterable[Mapping[str, Any]]) -> str:
    return to_json(list(values)).decode()
