"""Compare a version of a read model with the serving one, row by row, and name the events behind a difference."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from psycopg import AsyncConnection, sql

from infra.event_log import COLUMNS, load
from projections.read_model import EventMissing, Key, ReadModel
from projections.table import Table
from projections.versions.place import SERVING
from projections.versions.reading import rows

_AT: Final = COLUMNS + "WHERE notification_id = %s"
_DIFFER: Final = sql.SQL("""
SELECT to_jsonb(served), to_jsonb(built), {key}
FROM (SELECT * FROM {served} {among}) AS served FULL JOIN (SELECT * FROM {built} {among}) AS built USING ({key})
WHERE served IS DISTINCT FROM built
""")
_COUNT: Final = sql.SQL("SELECT count(*) FROM {served} AS served FULL JOIN {built} AS built USING ({key})")
_AMONG: Final = sql.SQL("WHERE ({key}) IN (SELECT {key} FROM json_populate_recordset(NULL::{served}, %s::json))")


@dataclass(frozen=True, slots=True)
class Cause:
    """An event that changed one of the columns that differ."""

    position: int
    stream_id: str
    version: int
    type: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One row. What its columns hold is not here: it may be about a person."""

    key: Key
    columns: tuple[str, ...]
    """Empty when the row is missing in one of them."""
    missing_in: str | None
    events: tuple[Cause, ...]


@dataclass(slots=True)
class Comparison:
    projection: str
    rows: int = 0
    differing: int = 0
    columns: Counter[str] = field(default_factory=Counter)
    examples: list[Difference] = field(default_factory=list)


async def compare(
    connection: AsyncConnection[Any],
    model: ReadModel[Any],
    schema: str,
    *,
    examples: int = 20,
    among: Iterable[Key] | None = None,
) -> Comparison:
    """Compare whole tables, or some rows, in the caller's transaction and as that sees them."""
    table = Table(model, schema)
    served = sql.Identifier(SERVING, model.name)
    names = {
        "served": served,
        "built": table.name,
        "key": sql.SQL(", ").join(map(sql.Identifier, model.key)),
    }
    if among is None:
        counted = await (await connection.execute(_COUNT.format(**names))).fetchone()
        found = Comparison(model.name, rows=counted[0] if counted else 0)
        query, values = _DIFFER.format(among=sql.SQL(""), **names), []
    else:
        keys = list(among)
        found = Comparison(model.name, rows=len(keys))
        query, values = _DIFFER.format(among=_AMONG.format(**names), **names), [table.asked(keys)] * 2
    async with connection.cursor("differences") as cursor:  # a page at a time, because all of a table may differ
        await cursor.execute(query, values)
        shown = [row async for row in cursor if _noted(found, row) <= examples]
    for one, other, *key in shown:
        found.examples.append(await _explained(connection, model, tuple(key), one, other))
    return found


def _noted(found: Comparison, row: Sequence[Any]) -> int:
    found.differing += 1
    found.columns.update(_differing(row[0], row[1]))
    return found.differing


def _differing(served: dict[str, Any] | None, built: dict[str, Any] | None) -> tuple[str, ...]:
    if served is None or built is None:
        return ()
    return tuple(column for column in built if served[column] != built[column])


async def _explained(
    connection: AsyncConnection[Any],
    model: ReadModel[Any],
    key: Key,
    served: dict[str, Any] | None,
    built: dict[str, Any] | None,
) -> Difference:
    columns = _differing(served, built)
    causes = await _causes(connection, model, key, {each["position"] for each in (served, built) if each})
    return Difference(
        key=key,
        columns=columns,
        missing_in="serving" if served is None else "built" if built is None else None,
        events=tuple(_behind(causes, columns)),
    )


def _behind(causes: Sequence[Cause], columns: Sequence[str]) -> Iterator[Cause]:
    """Give the last event that wrote each of the columns that differ; all of them when no column says more."""
    last = {column: cause for cause in causes for column in cause.columns}
    named = [last[column] for column in columns if column in last and column not in ("position", "updated_at")]
    chosen = named or [last[column] for column in columns if column in last] or causes[-1:]
    yield from sorted(dict.fromkeys(chosen), key=lambda cause: cause.position)


async def _causes(
    connection: AsyncConnection[Any], model: ReadModel[Any], key: Key, positions: set[int]
) -> list[Cause]:
    """Fold the row once more, event by event, and note which column each of them changed."""
    newest = [stored for at in sorted(positions) for stored in await rows(connection, _AT, (at,))]
    streams = {stream_id for at in newest for stream_id in model.writers(at.recorded)}
    log = [stored for stream_id in streams for stored in await load(connection, stream_id)] or newest
    causes = []
    row: Any = None
    for stored in sorted(log):
        if stored.position > max(positions) or key not in model.keys(stored.recorded):
            continue
        before = row
        with suppress(EventMissing):
            row = model.fold(row, key, stored.recorded)
        changed = _changed(before, row)
        causes.append(Cause(stored.position, str(stored.stream_id), stored.version, stored.topic, changed))
    return causes


def _changed(before: Any, after: Any) -> tuple[str, ...]:  # noqa: ANN401  # rows of whatever type
    if after is None:
        return ()
    if before is None:
        return tuple(after.__dict__)
    return tuple(column for column, value in after.__dict__.items() if value != before.__dict__[column])
