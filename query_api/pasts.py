"""Views as they were at an instant: a replay fills them in a schema of its own, once somebody asks."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from time import monotonic
from typing import Any, Final, Protocol

import psycopg
from psycopg import AsyncConnection, sql
from psycopg_pool import PoolTimeout

from infra.exclusive import Busy, exclusive
from infra.instants import position_at
from infra.replaying import NAMES, Asked, Outcome, drop, past_schemas
from infra.stopping import stop
from query_api.history.states import NotYetBegun
from query_api.listing import Pool
from schemas.views import OrderSummary, ProductView, Row, SalesHour, SalesProduct, StockLevel

TABLES: Final[dict[str, type[Row]]] = {
    "order_summaries": OrderSummary,
    "products": ProductView,
    "stock_levels": StockLevel,
    "sales_hours": SalesHour,
    "sales_products": SalesProduct,
}
KEPT: Final = 6
"""The most schemas, whoever asked for them."""
KEPT_FOR: Final = timedelta(hours=1)
"""Older ones were perhaps made by an earlier release."""
_FORM: Final = sha256(repr([(name, row.columns()) for name, row in TABLES.items()]).encode()).hexdigest()
"""Another one when the tables change, so that what an earlier release has left is not read."""
_EXISTS: Final = "SELECT to_regclass(format('%%I.builds', %s::text)) IS NOT NULL"
_BUILDS: Final = sql.SQL("SELECT min(position), count(*), max(moved_at), max(moved_at) < now() - %s FROM {}.builds")
_LOCK_TIMEOUT: Final = "SET LOCAL lock_timeout = '1s'"
_REFUSED_SECONDS: Final = 1.0
_FAILED_SECONDS: Final = 30.0


class PastBeingComputed(Exception):  # noqa: N818  # a state of the world
    """It takes longer than the caller would wait."""

    def __init__(self, percent: int) -> None:
        super().__init__(percent)
        self.percent = percent


class PastNotComputed(Exception):  # noqa: N818  # a state of the world
    """The replay failed, and would again; the log says why."""


@dataclass(frozen=True, slots=True)
class Past:
    """The views of one tenant as of a position."""

    schema: str
    position: int


class Replayer(Protocol):
    async def run(self, asked: Asked) -> Outcome: ...


class Pasts:
    """One replay at a time in each process. Several processes share what each has made."""

    def __init__(self, pool: Pool, replayer: Replayer) -> None:
        self._pool = pool
        self._replayer = replayer
        self._replaying: asyncio.Task[None] | None = None
        self._failed: dict[str, float] = {}

    async def at(self, tenant_id: str, instant: datetime, *, within: float) -> Past:
        """Give the views, once they are there. Raises NotYetBegun, PastNotComputed, PastBeingComputed in time."""
        patience = monotonic() + within
        async with self._pool.connection() as connection:
            position = await position_at(connection, instant)
        if not position:
            raise NotYetBegun
        past = Past(name_of(tenant_id, position), position)
        while (percent := await self._percent(past)) is None or percent < 100:  # noqa: PLR2004
            self._begin(past, tenant_id)
            left = patience - monotonic()
            if left <= 0 or self._replaying is None:
                raise PastBeingComputed(percent or 0)
            await asyncio.wait([self._replaying], timeout=left)
        return past

    async def close(self) -> None:
        """End a replay that is under way; the next question goes on with it."""
        if self._replaying:
            await stop([self._replaying])

    def _begin(self, past: Past, tenant_id: str) -> None:
        if self._failed.get(past.schema, 0.0) > monotonic():
            raise PastNotComputed
        if self._replaying is None or self._replaying.done():
            asked = Asked(past.schema, tuple(TABLES), tenant_id, past.position)
            self._replaying = asyncio.create_task(self._replay(asked), name="query_api:past")

    async def _replay(self, asked: Asked) -> None:
        try:
            await self._make_room(asked.schema)
            outcome = await self._replayer.run(asked)
        except (OSError, psycopg.Error, PoolTimeout):
            outcome = "failed"
        if outcome == "refused":
            await asyncio.sleep(_REFUSED_SECONDS)
        self._failed = {schema: until for schema, until in self._failed.items() if until > monotonic()}
        if outcome == "failed":
            self._failed[asked.schema] = monotonic() + _FAILED_SECONDS

    async def _percent(self, past: Past) -> int | None:
        """Tell how far it is made; None before it is begun."""
        async with self._pool.connection() as connection:
            found = await _builds(connection, past.schema)
        if found is None or found[1] < len(TABLES) or found[3]:
            return None
        return int(100 * found[0] / past.position)

    async def _make_room(self, wanted: str) -> None:
        """Drop all but the newest, except for what somebody is at work on."""
        async with self._pool.connection() as connection:
            known = {name: await _builds(connection, name) for name in await past_schemas(connection)}
            fresh = {name: found[2] for name, found in known.items() if found and not found[3]}
            newest = sorted(fresh.keys() - {wanted}, key=fresh.__getitem__)[1 - KEPT :]
            for name in known.keys() - {wanted if wanted in fresh else "", *newest}:
                await _dropped(connection, name)


async def _builds(connection: AsyncConnection[Any], schema: str) -> tuple[Any, ...] | None:
    """Give the least position, how many tables, when it moved, and whether that is too long ago."""
    if await (await connection.execute(_EXISTS, (schema,))).fetchone() != (True,):
        return None
    try:
        cursor = await connection.execute(_BUILDS.format(sql.Identifier(schema)), (KEPT_FOR,))
    except psycopg.errors.UndefinedTable:  # dropped in this moment
        return None
    found: tuple[Any, ...] | None = await cursor.fetchone()
    return found if found and found[1] else None


async def _dropped(connection: AsyncConnection[Any], schema: str) -> None:
    try:
        async with exclusive(connection, f"schema {schema}"), connection.transaction():
            await connection.execute(_LOCK_TIMEOUT)
            await drop(connection, schema)
    except (Busy, psycopg.errors.LockNotAvailable):
        return


def name_of(tenant_id: str, position: int) -> str:
    """Name the schema, so that every process finds it and no other tenant's is meant."""
    return NAMES.format(form=_FORM, tenant=sha256(tenant_id.encode()).hexdigest(), position=position)
