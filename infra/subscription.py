"""At-least-once feed in, exactly-once effect out."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final, Protocol

import psycopg
import redis.exceptions
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from infra.event_log import Stored, load
from infra.feed import Feed
from infra.guard import Guard, Seen
from infra.pace import Pace
from infra.signals import PROJECTED, Signals
from schemas.base import Category

Apply = Callable[[AsyncConnection[Any], Sequence[Stored]], Awaitable[None]]

_MOST: Final = 500
_ATTEMPTS: Final = 3
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 5.0
_OUTAGES: Final = (
    psycopg.OperationalError,
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    OSError,
)
"""Not the fault of an event: tried again until it is over, and nothing is parked."""
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Subscription:
    """What is done with the events of some categories.

    `apply` gets each event once, per stream in version order, and writes through the connection that it is given, in
    the transaction that also remembers the event; it must not commit. When it raises, nothing of the batch has
    happened; what it does elsewhere may happen twice. An event that fails three times is parked in `dead_letters` with
    all later events of its stream, while other streams go on. A crash of the database may undo the newest batches,
    memory and effect together; they are then repeated.
    """

    name: str
    categories: frozenset[Category]
    apply: Apply
    rest: float = 0.0
    """How many times as long as a batch took to rest after it, at most 0.1 s; not while catching up."""
    pace: float = 0.0
    """Seconds between the beginnings of batches, at least. Fewer, larger batches cost less; a rest is ended at once."""


class Subscriptions(Protocol):
    """How the events reach the subscriptions of a process."""

    def subscribe(self, subscription: Subscription) -> None:
        """Name a subscription, before `run`."""

    async def run(self) -> None:
        """Apply events until cancelled, through outages; returns at once when there is no subscription.

        Each begins where it stopped, at first with the oldest event. Several processes may follow the same one.
        """


class LogSubscriptions:
    """Each subscription follows the log itself, in the order of all commits."""

    def __init__(self, pool: AsyncConnectionPool, signals: Signals, feed: Feed) -> None:
        self._pool = pool
        self._signals = signals
        self._feed = feed
        self._subscriptions: list[Subscription] = []

    def subscribe(self, subscription: Subscription) -> None:
        self._subscriptions.append(subscription)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as following:
            for subscription in self._subscriptions:
                follower = _Follower(self._pool, self._signals, self._feed, subscription)
                following.create_task(_follow(follower, subscription.name), name=f"follow:{subscription.name}")


async def _follow(follower: "_Follower", name: str) -> None:
    """Each batch sends NOTIFY orderflow_projected with `<name> <position>`. Followers of one name take turns."""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            position = await follower.reached()
            while True:
                position = await follower.advance(position)
                pause = _FIRST_PAUSE_SECONDS
        except _OUTAGES as outage:
            _log.warning("%s: waiting for an outage to end: %s", name, type(outage).__name__)
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


class _Follower:
    def __init__(self, pool: AsyncConnectionPool, signals: Signals, feed: Feed, subscription: Subscription) -> None:
        self._pool = pool
        self._signals = signals
        self._feed = feed
        self._subscription = subscription
        self._pace = Pace(subscription.pace, rest=subscription.rest)

    async def reached(self) -> int:
        async with self._transaction() as (_, guard):
            return await guard.reached()

    async def advance(self, position: int) -> int:
        """Take what comes next; give the position reached."""
        await self._pace.keep()
        batch = await self._feed.read(after=position, limit=_MOST)
        if not batch:
            return position
        began_at = monotonic()
        try:
            await self._apply(batch)
        except Exception as error:  # whatever it is, the event that it comes from is found and parked
            if _is_outage(error):
                raise
            for stored in batch:
                await self._apply_alone(stored)
        if len(batch) < _MOST:  # there is no rest while catching up
            self._pace.ended(began_at)
        return batch[-1].position

    async def _apply(self, batch: Sequence[Stored]) -> None:
        async with self._transaction() as (connection, guard):
            await guard.open(batch[-1].position)
            if wanted := [stored for stored in batch if stored.category in self._subscription.categories]:
                await self._apply_new(connection, guard, wanted)
        self._signals.poke(PROJECTED)

    async def _apply_new(self, connection: AsyncConnection[Any], guard: Guard, wanted: Sequence[Stored]) -> None:
        seen = await guard.seen({stored.stream_id for stored in wanted})
        new: list[Stored] = []
        for stored in wanted:
            known = seen[stored.stream_id]
            if stored.version <= known.version:
                continue
            if known.parked:
                await guard.hold(stored)
                continue
            if stored.version > known.version + 1:
                rest = await load(connection, stored.stream_id, after_version=known.version)
                new += [missing for missing in rest if missing.version < stored.version]
            new.append(stored)
            seen[stored.stream_id] = Seen(stored.version, parked=False)
        if new:
            await self._subscription.apply(connection, new)
            await guard.applied({stored.stream_id: stored.version for stored in new})

    async def _apply_alone(self, stored: Stored) -> None:
        fault = ""
        for attempt in range(_ATTEMPTS):
            await asyncio.sleep(_FIRST_PAUSE_SECONDS * attempt)
            try:
                await self._apply([stored])
            except Exception as error:  # the same
                if _is_outage(error):
                    raise
                fault = _described(error)
                _log.warning("%s: position %d failed: %s", self._subscription.name, stored.position, fault)
            else:
                return
        await self._park(stored, fault)

    async def _park(self, stored: Stored, fault: str) -> None:
        async with self._transaction() as (_, guard):
            await guard.open(stored.position)
            await guard.park(stored, error=fault, attempts=_ATTEMPTS)
        self._signals.poke(PROJECTED)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[tuple[AsyncConnection[Any], Guard]]:
        async with self._pool.connection() as connection, connection.pipeline(), connection.transaction():
            yield connection, Guard(connection, self._subscription.name)


def _is_outage(error: Exception) -> bool:
    """A cancelled statement is no outage: it may be this event that takes too long."""
    return isinstance(error, _OUTAGES) and not isinstance(error, psycopg.errors.QueryCanceled)


def _described(error: Exception) -> str:
    """Say what went wrong and where; its own message could quote the event."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {at.name}, {Path(at.filename).name} line {at.lineno}"
