"""Fold some streams again and look whether the serving rows still say the same; put right what does not."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection, sql

from infra.event_log import Stored
from infra.guard import Guard
from projections.projector import Prepare
from projections.read_model import Key, ReadModel
from projections.table import Table
from projections.versions.build import APPLIED, EVENT
from projections.versions.comparison import Comparison, compare
from projections.versions.place import SERVING, Place
from projections.versions.reading import as_they_are, rows
from schemas.base import Category
from schemas.views import FED_BY

_SCRATCH: Final = "pg_temp"
_PAGE: Final = 5_000
_EVERY_ROW: Final = 1_000_000
_AT_ONCE: Final = 100
"""Events that are folded before others have their turn."""
_NEAR: Final = 1_000
"""How far the log is searched for an event of a wanted category: some are rare."""
_ROWS: Final = 10_000
_SOME: Final = """
SELECT originator_id, (SELECT max(originator_version) FROM stored_events AS its
    WHERE its.originator_id = picked.originator_id)
FROM (SELECT DISTINCT originator_id FROM unnest(%(asked)s::bigint[]) AS asked (at), LATERAL (
    SELECT originator_id FROM (
        SELECT notification_id, originator_id, topic FROM stored_events
        WHERE notification_id >= asked.at AND notification_id <= %(reached)s ORDER BY notification_id LIMIT %(near)s
    ) AS near
    WHERE split_part(topic, '.', 1) = ANY(%(categories)s) ORDER BY notification_id LIMIT 1) AS found
) AS picked ORDER BY 1
"""
_POSITIONS: Final = sql.SQL("SELECT position FROM {table} LIMIT {most}")
_NOTE: Final = """
INSERT INTO drift_looks (projection, streams, rows, differing) VALUES (%s, %s, %s, %s)
ON CONFLICT (projection) DO UPDATE SET looked_at = now(), streams = EXCLUDED.streams, rows = EXCLUDED.rows,
    differing = EXCLUDED.differing
"""
OF_STREAMS: Final = (
    f"SELECT {EVENT} FROM stored_events AS event {APPLIED} "  # noqa: S608  # constants
    "WHERE event.originator_id = ANY(%(streams)s) ORDER BY event.notification_id"
)
"""What the live projector has applied of some streams."""
_OF_ALL: Final = (
    f"SELECT {EVENT} FROM stored_events AS event {APPLIED} "  # noqa: S608  # constants
    "WHERE event.notification_id > %(after)s AND split_part(event.topic, '.', 1) = ANY(%(categories)s) "
    "ORDER BY event.notification_id LIMIT %(page)s"
)


@dataclass(frozen=True, slots=True)
class Drift:
    """What was looked at, and how much of it was wrong."""

    found: Comparison
    """Its rows are those that were looked at."""
    streams: int
    healed: int = 0

    @property
    def figure(self) -> float:
        """Rows that differ of rows looked at."""
        return self.found.differing / self.found.rows if self.found.rows else 0.0


@dataclass(frozen=True, slots=True)
class Look:
    sample: int
    """The most streams, chosen by their events."""
    heal: bool = False
    chance: Random = field(default_factory=Random)
    most: int = 2**63 - 1
    """The most events that the streams have together: long ones are left out."""


async def note(connection: AsyncConnection[Any], drift: Drift) -> None:
    """Write down what was found, and not healed, in place of what the last look found."""
    found = drift.found
    await connection.execute(
        _NOTE, (found.projection, drift.streams, found.rows, max(found.differing - drift.healed, 0))
    )


async def some_streams(
    connection: AsyncConnection[Any], subscription: str, categories: Iterable[Category], asked: Look, table: str = ""
) -> list[UUID]:
    """Choose among those that a subscription has heard of: by any of their events, and half by rows of a table.

    So a row that is missing may be found, and one whose stream has been silent for long.
    """
    reached = await Guard(connection, subscription).reached()
    if not reached:
        return []
    positions = list[int]()
    if table and asked.sample > 1:
        query = _POSITIONS.format(table=sql.Identifier(SERVING, table), most=_ROWS)
        known = [row[0] for row in await (await connection.execute(query)).fetchall()]
        positions = asked.chance.sample(known, min(asked.sample // 2, len(known)))
    positions += [asked.chance.randint(1, reached) for _ in range(asked.sample - len(positions))]
    values = {
        "asked": positions,
        "reached": max(reached, *positions),
        "categories": sorted(categories),
        "near": _NEAR,
    }
    found = await (await connection.execute(_SOME, values)).fetchall()
    asked.chance.shuffle(found)
    left, chosen = asked.most, list[UUID]()
    for stream_id, events in found:
        if events <= left:
            left -= events
            chosen.append(stream_id)
    return chosen


class Drifting:
    """Looks at one table, in one snapshot, in which rows and guard agree; the live projector goes on."""

    def __init__(self, connection: AsyncConnection[Any], model: ReadModel[Any], prepare: Prepare = as_they_are) -> None:
        self._connection = connection
        self._prepare = prepare
        self._model = model
        self._subscription = FED_BY[model.name]

    async def look(self, asked: Look) -> Drift:
        """Fold some streams; a row is wrong when any column is."""
        async with self._connection.transaction():
            await self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            streams = await some_streams(
                self._connection, self._subscription, self._model.categories, asked, self._model.name
            )
            found, _, wrong = await self._compared(streams)
        healed = await self._heal(wrong) if asked.heal and wrong else 0
        return Drift(found, len(streams), healed)

    async def _heal(self, streams: Sequence[UUID]) -> int:
        """Write the rows again, while the live projector waits for its turn; it then goes on from the same guard."""
        serving = Table(self._model, SERVING)
        async with self._connection.transaction():
            await Guard(self._connection, self._subscription).lock()
            found, expected, _ = await self._compared(streams)
            wrong = {each.key for each in found.examples}
            await serving.store(self._connection, [expected[key] for key in wrong & expected.keys()])
            await serving.remove(self._connection, wrong - expected.keys())
        return len(wrong)

    async def _compared(self, streams: Sequence[UUID]) -> tuple[Comparison, dict[Key, Any], list[UUID]]:
        """Give what differs, the rows as they must be, and those of the streams that write to rows that differ."""
        firsts, keys = list[Stored](), dict[UUID, set[Key]]()
        for stream_id in streams:
            events = await self._of_streams([stream_id])
            firsts += events[:1]
            keys[stream_id] = set[Key]().union(*[self._model.touched(some) async for some in _unhurried(events)])
        wanted = set[Key]().union(*keys.values())
        expected = await self._expected(firsts, wanted)
        # Rolled back, because a temporary table that stays hides the serving one from whoever gets the connection next.
        async with self._connection.transaction(force_rollback=True):
            await Place(self._connection, _SCRATCH).make_table(self._model.name)
            scratch = Table(self._model, _SCRATCH)
            await scratch.store(self._connection, expected.values())
            found = await compare(self._connection, self._model, _SCRATCH, examples=_EVERY_ROW, among=wanted)
        wrong = {each.key for each in found.examples}
        return found, expected, [stream_id for stream_id, its in keys.items() if its & wrong]

    async def _expected(self, firsts: Iterable[Stored], wanted: set[Key]) -> dict[Key, Any]:
        writers = {stream_id for first in firsts for stream_id in self._model.writers(first.recorded)}
        if not writers and wanted:
            return await self._expected_of_all(wanted)
        found: dict[Key, Any] = {}
        async for some in _unhurried(await self._of_streams(sorted(writers))):
            for stored in some:
                self._model.take(found, set(), stored.recorded, stored.position)
        return {key: row for key, row in found.items() if key in wanted}

    async def _expected_of_all(self, wanted: set[Key]) -> dict[Key, Any]:
        """Read the whole log, because any stream may write to these rows."""
        found: dict[Key, Any] = {}
        after = 0
        while page := await self._read(_OF_ALL, {"after": after, "page": _PAGE}):
            after = page[-1].position
            async for some in _unhurried(page):
                for stored in some:
                    if wanted.intersection(self._model.keys(stored.recorded)):
                        self._model.take(found, set(), stored.recorded, stored.position)
        return {key: row for key, row in found.items() if key in wanted}

    async def _of_streams(self, streams: Sequence[UUID]) -> list[Stored]:
        events = await self._read(OF_STREAMS, {"streams": list(streams)})
        return [stored for stored in events if stored.category in self._model.categories]

    async def _read(self, query: str, values: dict[str, Any]) -> list[Stored]:
        also = {"subscription": self._subscription, "categories": sorted(self._model.categories)}
        return list(await self._prepare(await rows(self._connection, query, {**also, **values})))


async def _unhurried(events: Sequence[Stored]) -> AsyncIterator[Sequence[Stored]]:
    for start in range(0, len(events), _AT_ONCE):
        yield events[start : start + _AT_ONCE]
        await asyncio.sleep(0)
