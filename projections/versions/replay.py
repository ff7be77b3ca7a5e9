"""Run the production projections over a stretch of history into a schema of its own, and touch nothing else."""

import re
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, Self
from uuid import UUID

from psycopg import AsyncConnection, sql
from psycopg.types.json import Jsonb
from pydantic import ValidationError

from infra.event_log import Stored
from projections.read_model import ReadModel
from projections.table import Table
from projections.versions.build import Advanced
from projections.versions.folding import Folding
from projections.versions.place import SERVING, Place
from projections.versions.reading import USUAL, Steps, pages
from projections.versions.switching import PREVIOUS, REBUILT
from schemas.views import FED_BY

_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_OF_TENANT: Final = b'"tenant_id":"'
"""How an envelope says whose it is, so that those of other tenants need not be decoded."""
_RESERVED: Final = {SERVING, REBUILT, PREVIOUS, "information_schema"}
_DISCARDED: Final = """
SELECT stream_id, version FROM dead_letters WHERE kind = 'event' AND status = 'discarded' AND consumer = ANY(%s)
"""
_BEGIN: Final = "INSERT INTO {schema}.builds (projection, position, asked) VALUES (%s, %s, %s)"
_MOVE: Final = "UPDATE {schema}.builds SET position = %s, left_out = left_out + %s, moved_at = now()"
_HOLD: Final = "INSERT INTO {schema}.exceptions (projection, stream_id, version, position) VALUES (%s, %s, %s, %s)"


class Unusable(Exception):  # noqa: N818  # a state of the world
    """The schema cannot be replayed into; says why in a sentence."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is replayed."""

    after: int
    until: int
    """The last position."""
    tenant: str | None = None
    open_ended: bool = False
    """Nobody has named an end: an interrupted replay goes on to what is the newest by then."""

    def asked(self) -> dict[str, Any]:
        """Give what must be the same for a replay that is gone on with."""
        return {"after": self.after, "until": None if self.open_ended else self.until, "tenant": self.tenant}


@dataclass(frozen=True, slots=True)
class Replayed:
    position: int
    rows: dict[str, int]
    left_out: int
    """Events, counted once per projection, whose row began before the stretch."""
    unreadable: int
    """Streams that stop at an event which cannot be read."""


def usable(schema: str) -> str:
    """Give a name that a schema of a replay may have; raises Unusable."""
    if not _NAME.fullmatch(schema):
        raise Unusable(f"{schema!r} is no name for a schema: small letters, digits and underscores, please.")
    if schema in _RESERVED or schema.startswith("pg_"):
        raise Unusable(f"{schema} is not a scratch schema. Choose another name, such as audit_2026.")
    return schema


class Replay:
    """Made in transactions that each keep a position with the rows, so that it can be gone on with after a kill."""

    def __init__(
        self,
        connection: AsyncConnection[Any],
        schema: str,
        models: Sequence[ReadModel[Any]],
        stretch: Stretch,
        steps: Steps = USUAL,
    ) -> None:
        self._connection = connection
        self._schema = usable(schema)
        self._place = Place(connection, schema)
        self._models = models
        self._stretch = stretch
        self._steps = steps
        self._tables = [Table(model, schema) for model in models]
        self._folding = Folding(self._tables, empty=True)
        self._held: set[UUID] = set()
        self._newly_held: list[Stored] = []
        self._left_out = 0
        self.position = stretch.after

    async def open(self, *, restart: bool) -> Self:
        """Begin, or go on with the same; raises Unusable."""
        try:
            exists = await self._place.exists()
        except ValueError:
            raise Unusable(f"The schema {self._schema} exists and was not made by a replay.") from None
        if exists and not restart:
            await self._go_on()
        else:
            await self._begin(replace=exists)
        return self

    async def run(self, advanced: Advanced) -> Replayed:
        kept_at = self.position
        categories = {category for model in self._models for category in model.categories}
        names = [[FED_BY[model.name] for model in self._models]]
        discarded = {(row[0], row[1]) for row in await self._place.all(_DISCARDED, names)}
        log = pages(
            self._connection, self._steps, after=self.position, until=self._stretch.until, categories=categories
        )
        async with aclosing(log):
            async for batch in log:
                wanted = [each for each in self._readable(batch) if _name(each) not in discarded]
                prepared = await self._steps.prepare(wanted)
                self._left_out += await self._folding.take(self._connection, prepared, lenient=True)
                advanced(batch[-1].position)
                if batch[-1].position - kept_at >= self._steps.checkpoint:
                    kept_at = batch[-1].position
                    await self._keep(kept_at)
        await self._keep(self._stretch.until)
        advanced(self._stretch.until)
        for model in self._models:
            await self._place.finish_table(model.name)
        return await self._replayed()

    async def _begin(self, *, replace: bool) -> None:
        async with self._connection.transaction():
            if replace:
                await self._place.drop()
            await self._place.make()
            for model in self._models:
                await self._place.make_table(model.name)
                await self._place.execute(_BEGIN, (model.name, self.position, Jsonb(self._stretch.asked())))

    async def _go_on(self) -> None:
        rows = await self._place.all("SELECT projection, position, asked FROM {schema}.builds", ())
        asked = self._stretch.asked()
        if {row[0] for row in rows} != {model.name for model in self._models} or any(row[2] != asked for row in rows):
            raise Unusable(f"The schema {self._schema} holds another replay. Choose another name, or say --restart.")
        self.position = rows[0][1]
        self._folding = Folding(self._tables)
        self._held = {row[0] for row in await self._place.all("SELECT stream_id FROM {schema}.exceptions", ())}

    def _readable(self, batch: Sequence[Stored]) -> Iterator[Stored]:
        """A stream stops at the first event that cannot be read, as it does for the live projector."""
        tenant = self._stretch.tenant
        its = _OF_TENANT + f'{tenant}"'.encode()
        for stored in batch:
            if stored.stream_id in self._held or (tenant and _OF_TENANT in stored.state and its not in stored.state):
                continue
            try:
                of = stored.recorded.tenant_id
            except ValidationError:
                self._held.add(stored.stream_id)
                self._newly_held.append(stored)
                continue
            if tenant in (None, of):
                yield stored

    async def _keep(self, position: int) -> None:
        async with self._connection.transaction():
            await self._folding.flush(self._connection)
            for stored in self._newly_held:
                await self._place.execute(_HOLD, ("all", stored.stream_id, stored.version, stored.position))
            await self._place.execute(_MOVE, (position, self._left_out))
        self._newly_held.clear()
        self._left_out = 0
        self.position = position

    async def _replayed(self) -> Replayed:
        counts = {}
        for model in self._models:
            query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(self._schema, model.name))
            [[counts[model.name]]] = await (await self._connection.execute(query)).fetchall()
        [[left_out]] = await self._place.all("SELECT max(left_out) FROM {schema}.builds", ())
        return Replayed(self.position, counts, left_out, len(self._held))


def _name(stored: Stored) -> tuple[UUID, int]:
    return stored.stream_id, stored.version
