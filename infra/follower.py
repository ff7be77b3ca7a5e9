"""Apply events for one subscription: each once, whatever brings them and however often."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any, Final

import psycopg
import redis.exceptions
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from infra.event_log import Stored, load
from infra.guard import Guard, Reach
from infra.outages import DATABASE_OUTAGES
from infra.pace import Pace
from infra.signals import PROJECTED, Signals
from infra.subscription import Outage, Subscription

MOST: Final = 500
"""The most events of a batch."""
_ATTEMPTS: Final = 3
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 5.0
_KEEP_SECONDS: Final = 1.0
_OUTAGES: Final = (
    Outage,
    *DATABASE_OUTAGES,
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    OSError,
)
"""Not the fault of an event: tried again until it is over, and nothing is parked."""
_log: Final = logging.getLogger(__name__)


class Follower:
    """Several may follow one subscription, in as many processes: a row lock makes their batches take turns."""

    def __init__(self, pool: AsyncConnectionPool, signals: Signals, subscription: Subscription) -> None:
        self._pool = pool
        self._signals = signals
        self._subscription = subscription
        self._pace = Pace(subscription.pace, rest=subscription.rest)
        self._kept = -1
        self._keep_at = 0.0

    @property
    def name(self) -> str:
        return self._subscription.name

    async def through_outages(self, follow: Callable[[int], Awaitable[None]]) -> None:
        """Call `follow` with the position reached, again after each outage, until cancelled."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            began_at = monotonic()
            try:
                position = await self.reached()
                await self.keep(position)
                await follow(position)
            except _OUTAGES as outage:
                _log.warning("%s: waiting for an outage to end: %s", self.name, _kind(outage))
                self._keep_at = 0.0
            if monotonic() - began_at > _LONGEST_PAUSE_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def reached(self) -> int:
        """Give the position reached: everything up to it is applied or parked."""
        async with self._transaction() as (_, guard):
            return await guard.reached()

    async def rested(self) -> None:
        """Wait until the next batch may begin."""
        await self._pace.keep()

    async def keep(self, position: int) -> None:
        """Tell the subscription how far it is, where it wants to know and has not been told."""
        if self._subscription.keep is None or (position <= self._kept and monotonic() < self._keep_at):
            return
        await self._subscription.keep(position)
        self._kept, self._keep_at = position, monotonic() + _KEEP_SECONDS

    async def take_next(self, batch: Sequence[Stored]) -> int:
        """Apply what comes next in the log; gives the position reached, the end of the batch."""
        end = batch[-1].position
        await self._take(batch, end)
        await self.keep(end)
        return end

    async def take(self, batch: Sequence[Stored]) -> Reach:
        """Apply events from anywhere in the log; what they skip in their streams is fetched from there."""
        reach = await self._take(batch, None)
        await self.keep(reach.position)
        return reach

    async def look(self) -> Reach:
        """Go as far as everything is applied."""
        async with self._transaction() as (_, guard):
            reach = await guard.look(self._subscription.categories)
        if reach.further:
            async with self._transaction() as (_, guard):
                await guard.lock()
                reach = await guard.advance(self._subscription.categories)
            self._signals.poke(PROJECTED)
        await self.keep(reach.position)
        return reach

    async def _take(self, batch: Sequence[Stored], end: int | None) -> Reach:
        began_at = monotonic()
        try:
            async with self._moving(end) as (connection, guard):
                await self._apply(connection, guard, batch)
                reach = await self._moved(guard, end)
        except Exception as error:  # whatever it is, the event that it comes from is found and parked
            if is_outage(error):
                raise
            reach = await self._take_one_by_one(batch, end)
        if len(batch) < MOST:  # there is no rest while catching up
            self._pace.ended(began_at)
        self._signals.poke(PROJECTED)
        return reach

    @asynccontextmanager
    async def _moving(self, end: int | None) -> AsyncIterator[tuple[AsyncConnection[Any], Guard]]:
        async with self._transaction() as (connection, guard):
            await (guard.lock() if end is None else guard.open(end))
            yield connection, guard

    async def _moved(self, guard: Guard, end: int | None) -> Reach:
        return await guard.advance(self._subscription.categories) if end is None else Reach(end)

    async def _apply(self, connection: AsyncConnection[Any], guard: Guard, batch: Sequence[Stored]) -> None:
        if new := await self._new(connection, guard, batch):
            await self._subscription.apply(connection, new)
            await guard.applied({stored.stream_id: stored.version for stored in new})

    async def _new(self, connection: AsyncConnection[Any], guard: Guard, batch: Sequence[Stored]) -> list[Stored]:
        """Give what was not applied yet, without holes; what must wait for a parked event is held."""
        wanted = [stored for stored in batch if stored.category in self._subscription.categories]
        if not wanted:
            return []
        seen = await guard.seen({stored.stream_id for stored in wanted})
        new: list[Stored] = []
        for stored in wanted:
            known = seen[stored.stream_id]
            if stored.version <= known.version or stored.version in known.never:
                continue
            if known.parked:
                await guard.hold(stored)
                continue
            if stored.version > known.version + 1:
                rest = await load(connection, stored.stream_id, after_version=known.version)
                new += [each for each in rest if each.version < stored.version and each.version not in known.never]
            new.append(stored)
            seen[stored.stream_id] = known._replace(version=stored.version)
        return new

    async def _take_one_by_one(self, batch: Sequence[Stored], end: int | None) -> Reach:
        async with self._moving(None) as (connection, guard):
            new = await self._new(connection, guard, batch)
        for stored in new:
            await self._take_alone(stored)
        async with self._moving(end) as (_, guard):
            return await self._moved(guard, end)

    async def _take_alone(self, stored: Stored) -> None:
        fault = ""
        for attempt in range(_ATTEMPTS):
            await asyncio.sleep(_FIRST_PAUSE_SECONDS * attempt)
            try:
                async with self._moving(None) as (connection, guard):
                    await self._apply(connection, guard, [stored])
            except Exception as error:  # the same
                if is_outage(error):
                    raise
                fault = described(error)
                _log.warning("%s: position %d failed: %s", self.name, stored.position, fault)
            else:
                return
        async with self._moving(None) as (_, guard):
            await guard.park(stored, error=fault, attempts=_ATTEMPTS)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[tuple[AsyncConnection[Any], Guard]]:
        async with self._pool.connection() as connection, connection.pipeline(), connection.transaction():
            yield connection, Guard(connection, self.name)


def is_outage(error: Exception) -> bool:
    """A cancelled statement is no outage: it may be this event that takes too long."""
    return isinstance(error, _OUTAGES) and not isinstance(error, psycopg.errors.QueryCanceled)


def _kind(error: Exception) -> str:
    return type(error.__cause__ or error).__name__


def described(error: Exception) -> str:
    """Say what went wrong and where; its own message could quote the event."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {at.name}, {Path(at.filename).name} line {at.lineno}"
