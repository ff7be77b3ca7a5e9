"""A schema that holds versions of read models, and how far each of them is."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection, sql

SERVING: Final = "public"
Values = Sequence[Any] | Mapping[str, Any]
_STATE: Final = (
    """
CREATE TABLE IF NOT EXISTS {schema}.builds (
    projection text PRIMARY KEY,
    position bigint NOT NULL,
    asked jsonb NOT NULL DEFAULT '{}',
    left_out bigint NOT NULL DEFAULT 0,
    begun_at timestamptz NOT NULL DEFAULT now(),
    moved_at timestamptz NOT NULL DEFAULT now()
)""",
    """
-- Events for which the opposite of what `position` says is true: before it they are missing, after it they are there.
CREATE TABLE IF NOT EXISTS {schema}.exceptions (
    projection text NOT NULL,
    stream_id uuid NOT NULL,
    version bigint NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (projection, stream_id, version)
)""",
)
_LIKE: Final = """
CREATE TABLE {target} (LIKE {source} INCLUDING COMMENTS INCLUDING CONSTRAINTS INCLUDING DEFAULTS INCLUDING GENERATED
    INCLUDING STORAGE INCLUDING COMPRESSION)
"""
_OPTIONS: Final = "SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = to_regclass(%s)"
_PRIMARY: Final = """
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = to_regclass(%s) AND contype = 'p'
"""
_INDEXES: Final = """
SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = %(source)s AND tablename = %(table)s
    AND indexname NOT IN (SELECT indexname FROM pg_indexes WHERE schemaname = %(target)s)
"""
_COLUMNS: Final = """
SELECT attname, format_type(atttypid, atttypmod), attnotnull, attgenerated FROM pg_attribute
WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attname
"""
_GRANTS: Final = """
SELECT grantee::regrole::text, privilege_type FROM pg_class, aclexplode(relacl)
WHERE oid = to_regclass(%s) AND grantee <> relowner AND grantee <> 0
"""
_VIEWS: Final = """
SELECT DISTINCT rule.ev_class::regclass::text, pg_get_viewdef(rule.ev_class)
FROM pg_depend JOIN pg_rewrite AS rule ON rule.oid = pg_depend.objid
WHERE pg_depend.classid = 'pg_rewrite'::regclass AND pg_depend.refobjid = to_regclass(%s)
ORDER BY 1
"""


class Place:
    """Tables and indexes have the same names in every place, so that moving a table between schemas changes none."""

    def __init__(self, connection: AsyncConnection[Any], schema: str) -> None:
        self._connection = connection
        self.schema = schema

    def named(self, query: str) -> bytes:
        """Put the schema's name for `{schema}` in a query."""
        return query.replace("{schema}", sql.Identifier(self.schema).as_string()).encode()

    async def all(self, query: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Give what a query finds that says `{schema}`."""
        return await (await self._connection.execute(self.named(query), values)).fetchall()

    async def execute(self, query: str, values: Values = ()) -> None:
        await self._connection.execute(self.named(query), values)

    async def exists(self) -> bool:
        """Whether the schema holds versions of read models; raises ValueError when it holds something else."""
        [schema, builds] = await self._row(
            "SELECT to_regnamespace(quote_ident(%s))::text, to_regclass(format('%%I.builds', %s::text))::text",
            (self.schema, self.schema),
        )
        if schema and not builds:
            raise ValueError(self.schema)
        return schema is not None

    async def make(self) -> None:
        """Make the schema, unless it is there."""
        name = sql.Identifier(self.schema)
        await self._connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
        for statement in _STATE:
            await self.execute(statement)

    async def drop(self) -> None:
        await self._connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(self.schema)))

    async def make_table(self, table: str) -> None:
        """Make it like the serving one, empty, with its primary key alone; the other indexes cost less at the end."""
        target, source = sql.Identifier(self.schema, table), sql.Identifier(SERVING, table)
        await self._connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(target))
        await self._connection.execute(sql.SQL(_LIKE).format(target=target, source=source))
        for name, definition in await self._rows(_PRIMARY, (f"{SERVING}.{table}",)):
            await self._execute(
                "ALTER TABLE {} ADD CONSTRAINT {} {}", target, sql.Identifier(name), _trusted(definition)
            )
        [options] = await self._row(_OPTIONS, (f"{SERVING}.{table}",))
        if options:
            await self._execute("ALTER TABLE {} SET ({})", target, _trusted(options))

    async def finish_table(self, table: str) -> None:
        """Add what the serving table has besides: indexes, grants; and count its rows for the planner."""
        target = sql.Identifier(self.schema, table)
        missing = {"source": SERVING, "target": self.schema, "table": table}
        for _, definition in await self._rows(_INDEXES, missing):
            before, after = definition.split(f" ON {SERVING}.", 1)
            await self._execute("{} ON {}.{}", _trusted(before), sql.Identifier(self.schema), _trusted(after))
        for grantee, privilege in await self._rows(_GRANTS, (f"{SERVING}.{table}",)):
            await self._execute("GRANT {} ON {} TO {}", _trusted(privilege), target, _trusted(grantee))
        await self._execute("ANALYZE {}", target)

    async def has(self, table: str) -> bool:
        """Whether it has a version of a table with the columns of the serving one."""
        mine = await self._rows(_COLUMNS, (f"{self.schema}.{table}",))
        return bool(mine) and mine == await self._rows(_COLUMNS, (f"{SERVING}.{table}",))

    async def _execute(self, query: LiteralString, *parts: sql.Composable) -> None:
        await self._connection.execute(sql.SQL(query).format(*parts))

    async def _row(self, query: LiteralString, values: Values) -> tuple[Any, ...]:
        return (await self._rows(query, values))[0]

    async def _rows(self, query: LiteralString, values: Values) -> Sequence[tuple[Any, ...]]:
        return await (await self._connection.execute(query, values)).fetchall()


async def swap(connection: AsyncConnection[Any], table: str, *, out: str, into: str) -> None:
    """Let the version in `into` serve, and put the serving one in `out`, in the caller's transaction.

    Views go with the name. They are locked before the table, as a query does it that reads them.
    """
    name = f"{SERVING}.{table}"
    views = await (await connection.execute(_VIEWS, (name,))).fetchall()
    for view, _ in views:
        await connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(_trusted(view)))
    serving = sql.Identifier(SERVING, table)
    for statement in (
        sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(serving),
        sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(out, table)),
        sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(serving, sql.Identifier(out)),
        sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(sql.Identifier(into, table), sql.Identifier(SERVING)),
        *(
            sql.SQL("CREATE OR REPLACE VIEW {} AS {}").format(_trusted(view), _trusted(definition))
            for view, definition in views
        ),
    ):
        await connection.execute(statement)


def _trusted(text: str) -> sql.SQL:
    """Text that PostgreSQL's own catalogue wrote as SQL."""
    return sql.SQL(text)
