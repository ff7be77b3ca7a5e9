"""The SQL of a read model's table, made from its row type. Rows travel as one JSON document each way."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from psycopg import AsyncConnection, sql
from pydantic import TypeAdapter
from pydantic_core import to_json

from infra.event_log import Stored
from projections.read_model import Key, ReadModel

# As JSON, so that PostgreSQL takes the column types from the table itself.
_FOUND: Final = sql.SQL(
    "(SELECT coalesce(json_agg(found), '[]')::text FROM (SELECT {columns} FROM {table} JOIN "
    "(SELECT {key} FROM json_populate_recordset(NULL::{table}, %s::json)) AS touched USING ({key})) AS found)"
)
_STORED: Final = sql.SQL(
    "{name} AS (INSERT INTO {table} ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::{table}, %s::json) "
    "ON CONFLICT ({key}) DO UPDATE SET {changes})"
)
_REMOVED: Final = sql.SQL(
    "DELETE FROM {table} USING json_populate_recordset(NULL::{table}, %s::json) AS gone WHERE {same}"
)


class Table:
    """Its name is looked up in the search path, unless a schema is named."""

    def __init__(self, model: ReadModel[Any], schema: str | None = None) -> None:
        self.model = model
        self._rows = TypeAdapter(list[model.row])  # type: ignore[name-defined]  # a type that is known at run time
        columns = model.row.columns()
        self.name = sql.Identifier(model.name) if schema is None else sql.Identifier(schema, model.name)
        names = {"table": self.name, "columns": _names(columns), "key": _names(model.key)}
        changes = sql.SQL(", ").join(
            sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(column))
            for column in columns
            if column not in model.key
        )
        same = sql.SQL(" AND ").join(
            sql.SQL("{0} = {1}").format(sql.Identifier(model.name, column), sql.Identifier("gone", column))
            for column in model.key
        )
        self.found = _FOUND.format(**names).as_bytes()
        self.stored = _STORED.format(name=sql.Identifier(f"stored_{model.name}"), changes=changes, **names).as_bytes()
        self._removed = _REMOVED.format(table=self.name, same=same).as_bytes()

    async def load(self, connection: AsyncConnection[Any], keys: Iterable[Key]) -> dict[Key, Any]:
        """Give the rows that exist."""
        found = await (await connection.execute(b"SELECT " + self.found, [self.asked(keys)])).fetchone()
        return self.rows(found[0] if found else "[]")

    async def store(self, connection: AsyncConnection[Any], rows: Iterable[Any]) -> None:
        await connection.execute(b"WITH " + self.stored + b" SELECT", [json_of(row.__dict__ for row in rows)])

    async def remove(self, connection: AsyncConnection[Any], keys: Iterable[Key]) -> None:
        await connection.execute(self._removed, [self.asked(keys)])

    def asked(self, keys: Iterable[Key]) -> str:
        """Give keys as the statements take them."""
        return json_of(dict(zip(self.model.key, key, strict=True)) for key in keys)

    def rows(self, found: str) -> dict[Key, Any]:
        """Read what a query gave."""
        return {self.key(row): row for row in self._rows.validate_json(found)}

    def named(self, found: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for key, row in self.rows(found).items():
            yield f"{self.model.name} {' '.join(map(str, key))}", row.__dict__

    def wanted(self, batch: Sequence[Stored]) -> list[Stored]:
        return [stored for stored in batch if stored.category in self.model.categories]

    def key(self, row: Any) -> Key:  # noqa: ANN401  # of whatever type the read model has
        return tuple(getattr(row, column) for column in self.model.key)


def _names(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def json_of(values: Iterable[Mapping[str, Any]]) -> str:
    return to_json(list(values)).decode()
