"""One version of a read model that is made from the log beside the serving one, as far as the live projector is."""

from collections.abc import Callable
from contextlib import aclosing
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection

from infra.event_log import Stored
from infra.guard import Guard
from projections.read_model import Key, ReadModel
from projections.table import Table
from projections.versions.folding import Folding
from projections.versions.place import Place
from projections.versions.reading import USUAL, Steps, pages, rows
from schemas.views import FED_BY

_NOT_APPLIED: Final = """
SELECT stream_id, version FROM dead_letters WHERE kind = 'event' AND consumer = %s AND status <> 'retried'
"""
EVENT: Final = "event.notification_id, event.originator_id, event.originator_version, event.topic, event.state"
# What the live projector has applied: versions up to its own, without what a person has discarded.
APPLIED: Final = """
JOIN subscription_versions AS live ON live.subscription = %(subscription)s AND live.stream_id = event.originator_id
    AND event.originator_version <= live.version
    AND NOT EXISTS (SELECT FROM dead_letters AS letter WHERE letter.kind = 'event'
        AND letter.consumer = %(subscription)s AND letter.stream_id = event.originator_id
        AND letter.version = event.originator_version AND letter.status = 'discarded')
"""
_MISSED: Final = (
    f"SELECT {EVENT} FROM {{schema}}.exceptions AS missing JOIN stored_events AS event "  # noqa: S608  # constants
    "ON event.originator_id = missing.stream_id AND event.originator_version = missing.version "
    f"{APPLIED} WHERE missing.projection = %(projection)s AND missing.position <= %(position)s "
    "ORDER BY event.notification_id"
)
_BEYOND: Final = (
    f"SELECT {EVENT} FROM stored_events AS event {APPLIED} "  # noqa: S608  # constants
    "WHERE event.notification_id > %(position)s AND split_part(event.topic, '.', 1) = ANY(%(categories)s) "
    "ORDER BY event.notification_id"
)
_EXCEPT: Final = """
INSERT INTO {schema}.exceptions (projection, stream_id, version, position)
SELECT %s, * FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[]) ON CONFLICT DO NOTHING
"""
_USUAL: Final = """
DELETE FROM {schema}.exceptions AS usual USING unnest(%s::uuid[], %s::bigint[]) AS gone (stream_id, version)
WHERE projection = %s AND usual.stream_id = gone.stream_id AND usual.version = gone.version
"""
_MOVE: Final = "UPDATE {schema}.builds SET position = %s, moved_at = now() WHERE projection = %s"

Advanced = Callable[[int], None]
"""Told the position reached."""


def silent(position: int) -> None:
    """Tell nobody."""
    del position


class Build:
    """Holds what the live projector has applied, or a beginning of it; one process at a time may work on it.

    Its guard is one position, because it is made in the order of the log, and the exceptions from it: events before it
    that the live projector has not applied either, and events after it that the live projector has.
    """

    def __init__(
        self, connection: AsyncConnection[Any], schema: str, model: ReadModel[Any], steps: Steps = USUAL
    ) -> None:
        self._connection = connection
        self._place = Place(connection, schema)
        self.schema = schema
        self._steps = steps
        self.model = model
        self._subscription = FED_BY[model.name]
        self.table = Table(model, schema)
        self._folding = Folding([self.table])
        self._live = Guard(connection, self._subscription)
        self.position = 0
        self._there: set[tuple[UUID, int]] = set()
        self._missing: list[Stored] = []
        self.touched: set[Key] = set()
        """Keys of the rows written through this object."""

    async def open(self) -> bool:
        """Go on with what is there; tells whether there is anything that can be gone on with."""
        if not await self._place.exists() or not await self._place.has(self.model.name):
            return False
        [row] = await self._place.all(
            "SELECT max(position) FROM {schema}.builds WHERE projection = %s", (self.model.name,)
        )
        if row[0] is None:
            return False
        self.position = row[0]
        self._folding = Folding([self.table], empty=self.position == 0)
        query = "SELECT stream_id, version FROM {schema}.exceptions WHERE projection = %s AND position > %s"
        self._there = {(each[0], each[1]) for each in await self._place.all(query, (self.model.name, self.position))}
        return True

    async def begin(self) -> None:
        """Make it new and empty."""
        async with self._connection.transaction():
            await self._place.make()
            await self._place.make_table(self.model.name)
            await self._place.execute("DELETE FROM {schema}.exceptions WHERE projection = %s", (self.model.name,))
            await self._place.execute("DELETE FROM {schema}.builds WHERE projection = %s", (self.model.name,))
            query = "INSERT INTO {schema}.builds (projection, position) VALUES (%s, 0)"
            self._folding = Folding([self.table], empty=True)
            await self._place.execute(query, (self.model.name,))

    async def catch_up(self, advanced: Advanced = silent) -> None:
        """Follow to where the live projector is; never further, because it decides what is applied."""
        while (live := await self._live.reached()) > self.position:
            await self._go(live, advanced)

    async def settle(self) -> None:
        """Hold exactly what the live projector has applied, whose guard somebody must have locked."""
        await self.catch_up()
        values = {
            "subscription": self._subscription,
            "projection": self.model.name,
            "position": self.position,
            "categories": sorted(self.model.categories),
        }
        missed = await rows(self._connection, self._place.named(_MISSED).decode(), values)
        beyond = await rows(self._connection, _BEYOND, values)
        beyond = [stored for stored in beyond if (stored.stream_id, stored.version) not in self._there]
        if missed or beyond:
            await self._folding.take(self._connection, await self._steps.prepare([*missed, *beyond]))
            self._missing += beyond
            self._there |= {(stored.stream_id, stored.version) for stored in beyond}
            async with self._connection.transaction():
                await self._usual(missed)
                await self._checkpoint(self.position)

    async def finish(self) -> None:
        """Make it fit to serve."""
        await self._place.finish_table(self.model.name)

    async def _go(self, until: int, advanced: Advanced) -> None:
        skipped = {(row[0], row[1]) for row in await self._place.all(_NOT_APPLIED, (self._subscription,))}
        kept_at, usual = self.position, list[Stored]()
        log = pages(self._connection, self._steps, after=self.position, until=until, categories=self.model.categories)
        async with aclosing(log):
            async for batch in log:
                there, others = _parted(batch, self._there)
                missing, wanted = _parted(others, skipped)
                usual += there
                self._missing += missing
                await self._folding.take(self._connection, await self._steps.prepare(wanted))
                advanced(batch[-1].position)
                if batch[-1].position - kept_at >= self._steps.checkpoint:
                    await self._keep(batch[-1].position, usual)
                    kept_at, usual = batch[-1].position, []
        await self._keep(until, usual)
        advanced(until)

    async def _keep(self, position: int, usual: list[Stored]) -> None:
        async with self._connection.transaction():
            await self._usual(usual)
            await self._checkpoint(position)

    async def _checkpoint(self, position: int) -> None:
        [touched] = self._folding.touched()
        self.touched |= touched
        await self._folding.flush(self._connection)
        streams, versions = _columns(self._missing)
        positions = [each.position for each in self._missing]
        await self._place.execute(_EXCEPT, (self.model.name, streams, versions, positions))
        self._missing.clear()
        await self._place.execute(_MOVE, (position, self.model.name))
        self.position = position

    async def _usual(self, events: list[Stored]) -> None:
        """Take events out of the exceptions."""
        if events:
            await self._place.execute(_USUAL, (*_columns(events), self.model.name))
            self._there -= {(each.stream_id, each.version) for each in events}


def _parted(events: list[Stored], named: set[tuple[UUID, int]]) -> tuple[list[Stored], list[Stored]]:
    """Give those that are named, and the others."""
    if not named:
        return [], events
    parts: tuple[list[Stored], list[Stored]] = [], []
    for each in events:
        parts[(each.stream_id, each.version) not in named].append(each)
    return parts


def _columns(events: list[Stored]) -> tuple[list[UUID], list[int]]:
    return [each.stream_id for each in events], [each.version for each in events]
