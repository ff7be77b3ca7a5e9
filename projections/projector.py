"""Apply a batch of events to the table of a read model: one query, folds in memory, one statement."""

from collections.abc import Sequence
from typing import Any, Generic

from psycopg import AsyncConnection, sql
from pydantic import TypeAdapter
from pydantic_core import to_json

from infra.event_log import Stored
from infra.subscription import Subscription
from projections.read_model import Key, R, ReadModel
from schemas.base import Category


def fill(name: str, *models: ReadModel[Any]) -> Subscription:
    """Give the subscription that fills the tables of some read models together.

    They share one guard and one position, so that a batch costs one transaction and the tables never disagree; an event
    that one of them cannot apply is parked for all of them.
    """
    projectors = [Projector(model) for model in models]

    async def apply(connection: AsyncConnection[Any], batch: Sequence[Stored]) -> None:
        for projector in projectors:
            await projector.apply(connection, batch)

    return Subscription(name, frozenset[Category]().union(*(model.categories for model in models)), apply)


class Projector(Generic[R]):
    """Neither guards nor commits: a `Subscription` calls `apply` inside the transaction that does both."""

    def __init__(self, model: ReadModel[R]) -> None:
        self._model = model
        self._rows = TypeAdapter(list[model.row])  # type: ignore[name-defined]  # a type that is known at run time
        columns = tuple(model.row.model_fields)
        self._load = _load(model.name, columns, model.key)
        self._store = _store(model.name, columns, model.key)

    async def apply(self, connection: AsyncConnection[Any], batch: Sequence[Stored]) -> None:
        """Raises what the fold raises; then nothing has been written."""
        wanted = [stored for stored in batch if stored.category in self._model.categories]
        changed = self._model.changed(await self._loaded(connection, self._model.touched(wanted)), wanted)
        if changed:
            rows = to_json([row.__dict__ for row in changed.values()])
            await connection.execute(self._store, (rows.decode(),))

    async def _loaded(self, connection: AsyncConnection[Any], keys: set[Key]) -> dict[Key, R]:
        if not keys:
            return {}
        asked = to_json([dict(zip(self._model.key, key, strict=True)) for key in keys]).decode()
        found = await (await connection.execute(self._load, (asked,))).fetchone()
        rows: list[R] = self._rows.validate_json(found[0]) if found else []
        return {tuple(getattr(row, column) for column in self._model.key): row for row in rows}


def _names(columns: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(column) for column in columns)


# Rows travel as one JSON document each way, so that PostgreSQL takes the column types from the table itself.


def _load(table: str, columns: tuple[str, ...], key: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(
        "SELECT coalesce(json_agg(found), '[]')::text FROM (SELECT {columns} FROM {table} JOIN "
        "(SELECT {key} FROM json_populate_recordset(NULL::{table}, %s::json)) AS touched USING ({key})) AS found"
    ).format(columns=_names(columns), table=sql.Identifier(table), key=_names(key))


def _store(table: str, columns: tuple[str, ...], key: tuple[str, ...]) -> sql.Composed:
    changes = sql.SQL(", ").join(
        sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(column)) for column in columns if column not in key
    )
    return sql.SQL(
        "INSERT INTO {table} ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::{table}, %s::json) "
        "ON CONFLICT ({key}) DO UPDATE SET {changes}"
    ).format(columns=_names(columns), table=sql.Identifier(table), key=_names(key), changes=changes)
