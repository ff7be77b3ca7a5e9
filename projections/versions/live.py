"""Versions of the live figures: generations in Redis, of which one is shown."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis

from infra.event_log import EventLog
from infra.guard import Guard
from infra.live_keys import GENERATION, PREFIX, LiveKeys
from projections.live import NAME, LiveFigures, Target
from projections.versions.build import APPLIED, EVENT, Advanced, silent
from projections.versions.comparison import Comparison, Difference
from projections.versions.drift import Drift
from projections.versions.figures import figures_of
from projections.versions.reading import rows
from projections.versions.switching import PREVIOUS, REBUILT, NoVersion, TooDifferent, working
from schemas.ids import new_id

_PAGE: Final = 2_000
_SCAN: Final = 1_000
_ANY: Final = 2**63
_BEYOND: Final = (
    f"SELECT {EVENT} FROM stored_events AS event {APPLIED} "  # noqa: S608  # constants
    "WHERE event.notification_id > %(position)s AND split_part(event.topic, '.', 1) = 'order' "
    "ORDER BY event.notification_id"
)


class LiveVersions:
    """What `Versions` is for tables. Raises FiguresLost when Redis is emptied or started again meanwhile."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], redis: Redis) -> None:
        self._pool = pool
        self._redis: Any = redis  # its types leave open whether it decodes
        self._log = EventLog(pool)
        self._figures = LiveFigures(redis, self._log)

    async def live_position(self) -> int:
        async with self._pool.connection() as connection, connection.transaction():
            return await Guard(connection, NAME).reached()

    async def positions(self) -> dict[str, int]:
        """Tell how far the versions are that lie beside the serving one, by place."""
        found = {}
        for place in (REBUILT, PREVIOUS):
            generation = await self._redis.get(_named(place))
            position = await self._redis.get(_position(generation)) if generation else None
            if position is not None:
                found[place] = int(position)
        return found

    async def rebuild(self, advanced: Advanced, *, restart: bool = False) -> int:
        async with working(self._pool, NAME):
            generation = await self._redis.get(_named(REBUILT))
            if restart or generation is None or await self._redis.get(_run(generation)) != await self._server():
                generation = await self._begin(generation)
            return await self._catch_up(generation, advanced)

    async def compare(self, *, examples: int = 20) -> Comparison:
        async with working(self._pool, NAME) as connection:
            generation = await self._generation(REBUILT)
            await self._catch_up(generation)
            async with self._standing(connection, generation):
                return await self._compared(generation, examples)

    async def switch(self, tolerance: int) -> Comparison:
        async with working(self._pool, NAME) as connection:
            generation = await self._generation(REBUILT)
            await self._catch_up(generation)
            async with self._standing(connection, generation):
                found = await self._compared(generation, 20)
                if found.differing > tolerance:
                    raise TooDifferent(found)
                dropped = await self._redis.get(_named(PREVIOUS))
                await self._show(generation, REBUILT, PREVIOUS)
            await self._remove(dropped)
            return found

    async def rollback(self) -> None:
        async with working(self._pool, NAME) as connection:
            generation = await self._generation(PREVIOUS)
            await self._catch_up(generation)
            async with self._standing(connection, generation):
                dropped = await self._redis.get(_named(REBUILT))
                await self._show(generation, PREVIOUS, REBUILT)
            await self._remove(dropped)

    async def drift(self, *, heal: bool) -> Drift:
        """Count everything anew beside, and compare; what is healed is shown in place of what was."""
        await self.rebuild(silent, restart=True)
        if not heal:
            found = await self.compare()
            await self._forget(REBUILT)
            return Drift(found, streams=0)
        found = await self.switch(tolerance=_ANY)
        return Drift(found, streams=0, healed=found.differing)

    async def _begin(self, dropped: bytes | None) -> bytes:
        await self._remove(dropped)
        generation = new_id().hex.encode()
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.set(_position(generation), 0)
            pipeline.set(_run(generation), await self._server())
            pipeline.set(_named(REBUILT), generation)
            await pipeline.execute()
        return generation

    async def _catch_up(self, generation: bytes, advanced: Advanced = silent) -> int:
        """Count what the live projector has counted since."""
        run = (await self._server()).decode()
        reached = int(await self._redis.get(_position(generation)) or 0)
        while reached < (live := await self.live_position()):
            page = [each for each in await self._log.read(after=reached, limit=_PAGE) if each.position <= live]
            reached = page[-1].position if len(page) == _PAGE else live
            await self._figures.count(page, Target(generation.decode(), reached, run))
            advanced(reached)
        return reached

    @asynccontextmanager
    async def _standing(self, connection: AsyncConnection[Any], generation: bytes) -> AsyncIterator[None]:
        """Let the live projector wait while both generations are at the same event."""
        async with connection.transaction():
            await Guard(connection, NAME).lock()
            reached = await self._catch_up(generation)
            beyond = await rows(connection, _BEYOND, {"subscription": NAME, "position": reached})
            run = (await self._server()).decode()
            await self._figures.count(beyond, Target(generation.decode(), reached, run, "vouch"))
            yield

    async def _compared(self, generation: bytes, examples: int) -> Comparison:
        shown = await self._redis.get(GENERATION)
        served = await figures_of(self._redis, shown) if shown else {}
        built = await figures_of(self._redis, generation)
        # An order that has ended is forgotten a day later, which is not the same day in both.
        figures = {each for each in served.keys() | built.keys() if each[0] or (each in served and each in built)}
        wrong = sorted(each for each in figures if served.get(each) != built.get(each))
        found = Comparison(NAME, rows=len(figures), differing=len(wrong))
        found.columns.update(each[1] for each in wrong)
        found.examples += [Difference(each, ("value",), None, ()) for each in wrong[:examples]]
        return found

    async def _show(self, generation: bytes, into: str, out: str) -> None:
        shown = await self._redis.get(GENERATION)
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.set(GENERATION, generation)
            pipeline.delete(_named(into))
            if shown:
                pipeline.set(_named(out), shown)
            await pipeline.execute()

    async def _generation(self, place: str) -> bytes:
        generation: bytes | None = await self._redis.get(_named(place))
        if generation is None or not await self._redis.exists(_position(generation)):
            raise NoVersion(place)
        return generation

    async def _remove(self, generation: bytes | None) -> None:
        if generation is not None:
            async for key in self._redis.scan_iter(match=f"{PREFIX}:{generation.decode()}:*", count=_SCAN):
                await self._redis.unlink(key)

    async def _forget(self, place: str) -> None:
        await self._remove(await self._redis.getdel(_named(place)))

    async def _server(self) -> bytes:
        run: str = (await self._redis.info("server"))["run_id"]
        return run.encode()


def _named(place: str) -> str:
    return f"{PREFIX}:{place}"


def _position(generation: bytes) -> str:
    return LiveKeys(generation.decode(), "").position


def _run(generation: bytes) -> str:
    return f"{PREFIX}:{generation.decode()}:run"
