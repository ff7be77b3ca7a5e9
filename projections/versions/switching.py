"""Let a rebuilt version of a read model serve, and put the one before it back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection, sql
from psycopg_pool import AsyncConnectionPool

from infra.exclusive import exclusive
from infra.guard import Guard
from projections.read_model import Key, ReadModel
from projections.versions.build import Advanced, Build
from projections.versions.comparison import Comparison, compare
from projections.versions.place import Place, swap
from projections.versions.reading import USUAL, Steps
from schemas.views import FED_BY

REBUILT: Final = "rebuilt"
PREVIOUS: Final = "previous"
_ATTEMPTS: Final = 20
_PAUSE_SECONDS: Final = 0.25
_LOCK_TIMEOUT: Final = "SET LOCAL lock_timeout = '1s'"
"""Queries queue behind us while we wait for a table, so that must not take long; then they come first, and we again."""
_MOVE: Final = (
    "DELETE FROM {out}.builds WHERE projection = %(projection)s",
    "DELETE FROM {out}.exceptions WHERE projection = %(projection)s",
    "INSERT INTO {out}.builds SELECT * FROM {into}.builds WHERE projection = %(projection)s",
    "INSERT INTO {out}.exceptions SELECT * FROM {into}.exceptions WHERE projection = %(projection)s",
    "DELETE FROM {into}.builds WHERE projection = %(projection)s",
    "DELETE FROM {into}.exceptions WHERE projection = %(projection)s",
)
Pool = AsyncConnectionPool[AsyncConnection[Any]]


class NoVersion(Exception):  # noqa: N818  # a state of the world
    """There is no version of the projection in that place, or it was made for another form of the table."""


class TooDifferent(Exception):  # noqa: N818  # a state of the world
    def __init__(self, comparison: Comparison) -> None:
        super().__init__(f"{comparison.differing} rows differ")
        self.comparison = comparison


@asynccontextmanager
async def working(pool: Pool, projection: str) -> AsyncIterator[AsyncConnection[Any]]:
    """Give a connection that holds the projection's lock and may take any time; raises Busy."""
    async with pool.connection() as connection:
        await connection.execute("SET statement_timeout = 0")
        async with exclusive(connection, projection):
            yield connection


class Versions:
    """The versions of one read model. Every method holds the projection's lock, and raises Busy without it."""

    def __init__(self, pool: Pool, model: ReadModel[Any], steps: Steps = USUAL) -> None:
        self._pool = pool
        self._steps = steps
        self._model = model

    async def rebuild(self, advanced: Advanced, *, restart: bool = False) -> int:
        """Make a version beside the serving one, or go on making it; gives the position reached."""
        async with working(self._pool, self._model.name) as connection:
            build = Build(connection, REBUILT, self._model, self._steps)
            if restart or not await build.open():
                await build.begin()
            await build.catch_up(advanced)
            await build.finish()
            await build.catch_up(advanced)
            return build.position

    async def live_position(self) -> int:
        """Tell how far the live projector is."""
        async with self._pool.connection() as connection, connection.transaction():
            return await Guard(connection, self._subscription).reached()

    async def compare(self, *, examples: int = 20) -> Comparison:
        """Raises NoVersion."""
        async with working(self._pool, self._model.name) as connection:
            return await self._compared(connection, examples)

    async def switch(self, tolerance: int) -> Comparison:
        """Let the rebuilt version serve; raises NoVersion, TooDifferent, LockNotAvailable."""
        async with working(self._pool, self._model.name) as connection:
            found = await self._compared(connection, 20)
            if found.differing > tolerance:
                raise TooDifferent(found)
            await self._swap(connection, REBUILT, PREVIOUS, tolerance)
            return found

    async def rollback(self) -> None:
        """Let the version serve that did before the last switch; the other is then the rebuilt one again.

        Raises NoVersion, LockNotAvailable.
        """
        async with working(self._pool, self._model.name) as connection:
            await Place(connection, REBUILT).make()
            await self._swap(connection, PREVIOUS, REBUILT, None)

    async def _compared(self, connection: AsyncConnection[Any], examples: int) -> Comparison:
        """Stop the live projector only until both are at the same event and seen so."""
        build = await self._opened(connection, REBUILT)
        await build.catch_up()
        await build.finish()
        async with self._pool.connection() as holder, holder.transaction():
            await Guard(holder, self._subscription).lock()
            await build.settle()
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            await connection.execute("SELECT FROM subscription_positions")
        try:
            return await compare(connection, self._model, REBUILT, examples=examples)
        finally:
            await connection.execute("ROLLBACK")

    async def _swap(self, connection: AsyncConnection[Any], into: str, out: str, tolerance: int | None) -> None:
        since = set[Key]()
        for attempt in range(_ATTEMPTS):
            build = await self._opened(connection, into)
            await build.catch_up()
            await build.finish()
            since |= build.touched
            try:
                await self._swap_once(connection, build, out, None if tolerance is None else (tolerance, since))
            except psycopg.errors.LockNotAvailable:
                if attempt == _ATTEMPTS - 1:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return

    async def _swap_once(
        self, connection: AsyncConnection[Any], build: Build, out: str, bound: tuple[int, set[Key]] | None
    ) -> None:
        """Compare the rows that have changed since the comparison, too, in the transaction that switches."""
        into = build.schema
        async with connection.transaction():
            await connection.execute(_LOCK_TIMEOUT)
            await Guard(connection, self._subscription).lock()
            await build.settle()
            if bound is not None:
                tolerance, since = bound
                newest = await compare(connection, self._model, into, among=since | build.touched)
                if newest.differing > tolerance:
                    raise TooDifferent(newest)
            await Place(connection, out).make()
            for statement in _MOVE:
                await connection.execute(_in(statement, into, out), {"projection": self._model.name})
            await swap(connection, self._model.name, out=out, into=into)

    async def _opened(self, connection: AsyncConnection[Any], schema: str) -> Build:
        build = Build(connection, schema, self._model, self._steps)
        if not await build.open():
            raise NoVersion(schema)
        return build

    @property
    def _subscription(self) -> str:
        return FED_BY[self._model.name]


def _in(statement: str, into: str, out: str) -> sql.Composed:
    names = {"into": sql.Identifier(into), "out": sql.Identifier(out)}
    return sql.SQL(statement).format(**names)  # one of the constants above
