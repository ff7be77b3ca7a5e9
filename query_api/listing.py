"""Read any list by keyset: a page starts after the last row of the page before, whatever was added in between."""

from dataclasses import dataclass
from typing import Any, Final, Generic, LiteralString, TypeVar

from psycopg import AsyncConnection, sql
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from query_api.cursors import Place
from schemas.views import Row

R = TypeVar("R", bound=Row)
Pool = AsyncConnectionPool[AsyncConnection[Any]]

_COMPARED: Final = {False: sql.SQL(">"), True: sql.SQL("<")}
_DIRECTION: Final = {False: sql.SQL("ASC"), True: sql.SQL("DESC")}


@dataclass(frozen=True, slots=True)
class Condition:
    """A piece of SQL of ours, with a placeholder for each value."""

    clause: LiteralString
    values: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing(Generic[R]):
    """Rows of one table. `keys` are columns and their SQL types; together they are unique within the conditions."""

    row: type[R]
    table: LiteralString
    keys: tuple[tuple[LiteralString, LiteralString], ...]
    where: tuple[Condition, ...]
    descending: bool = False
    schema: str | None = None
    """Where the table is, unless it is the one that serves."""

    def query(self, place: Place | None, limit: int) -> tuple[sql.Composed, list[object]]:
        """Give the statement that reads `limit` rows after `place`, and its parameters."""
        keys = sql.SQL(", ").join(sql.Identifier(name) for name, _ in self.keys)
        clauses: list[sql.Composable] = [sql.SQL(condition.clause) for condition in self.where]
        values = [value for condition in self.where for value in condition.values]
        if place is not None:
            there = sql.SQL(", ").join(sql.SQL("%s::" + kind) for _, kind in self.keys)
            clauses.append(sql.SQL("({}) {} ({})").format(keys, _COMPARED[self.descending], there))
            values += place
        direction = _DIRECTION[self.descending]
        order = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(name), direction) for name, _ in self.keys)
        statement = sql.SQL("SELECT {} FROM {} WHERE {} ORDER BY {} LIMIT %s").format(
            columns(self.row), named(self.table, self.schema), sql.SQL(" AND ").join(clauses), order
        )
        return statement, [*values, limit]

    async def page(self, pool: Pool, place: Place | None, limit: int) -> tuple[list[R], Place | None]:
        """Read a page, and the place after it when there is more."""
        statement, values = self.query(place, limit + 1)
        async with pool.connection() as connection, connection.cursor(row_factory=class_row(self.row)) as cursor:
            rows = await (await cursor.execute(statement, values)).fetchall()
        if len(rows) <= limit:
            return rows, None
        last = rows[limit - 1]
        return rows[:limit], tuple(_plain(getattr(last, name)) for name, _ in self.keys)

    async def one(self, pool: Pool) -> R | None:
        """Read the first row."""
        rows, _ = await self.page(pool, None, 1)
        return rows[0] if rows else None


def named(table: str, schema: str | None) -> sql.Identifier:
    """Name a table of a schema, or the one that serves."""
    return sql.Identifier(table) if schema is None else sql.Identifier(schema, table)


def columns(row: type[Row]) -> sql.Composed:
    """Give the columns of a read model's table: the fields of its rows."""
    return sql.SQL(", ").join(sql.Identifier(name) for name in row.columns())


def _plain(value: object) -> str | int:
    return value if isinstance(value, int) else str(value)
