"""The streams that this process saw last, so that a busy one is not read again for every command."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

import psycopg
from psycopg_pool import PoolTimeout

from domain.aggregate import Aggregate
from infra.appender import LogUnavailable
from infra.event_log import EventLog, Stored
from infra.feed import Feed
from schemas.events import Event
from schemas.recorded import GENESIS, digest

S = TypeVar("S")
C = TypeVar("C")
E = TypeVar("E", bound=Event)

_REMEMBERED: Final = 4_096


@dataclass(frozen=True, slots=True)
class Known(Generic[S]):
    """A stream up to `version`: 0 when it does not exist."""

    state: S | None = None
    version: int = 0
    digest: str = GENESIS
    """What the next event carries as `prev`."""
    position: int = 0
    """Of the last event in the log."""
    tenant_id: str = ""

    def for_tenant(self, tenant_id: str) -> "Known[S]":
        """Give the stream as a tenant sees it: another tenant's does not exist."""
        return self if self.tenant_id == tenant_id else Known()


@dataclass(slots=True)
class _Loading:
    """A stream that is being read, by one or more at once."""

    readers: int = 0
    passed: int = 0
    """The newest version that was noticed meanwhile."""


class Streams:
    """A bounded memory of streams in front of the log.

    What it remembers was true when it was read and may be old: good enough to append on, since the log refuses a
    version that is taken, and never enough to refuse or to answer that nothing was to be done. `follow` forgets what
    other processes have changed, within the feed's delay.
    """

    def __init__(self, log: EventLog, *, limit: int = _REMEMBERED) -> None:
        self._log = log
        self._limit = limit
        self._remembered: OrderedDict[UUID, Known[Any]] = OrderedDict()
        self._loading: dict[UUID, _Loading] = {}
        self._locks: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    def lock(self, stream_id: UUID) -> asyncio.Lock:
        """Give the lock under which this process changes a stream, so that it never conflicts with itself."""
        return self._locks.setdefault(stream_id, asyncio.Lock())

    def remembered(self, stream_id: UUID) -> Known[Any] | None:
        known = self._remembered.get(stream_id)
        if known is not None:
            self._remembered.move_to_end(stream_id)
        return known

    def remember(self, stream_id: UUID, known: Known[Any]) -> None:
        """Keep what is newer than what is known already."""
        present = self._remembered.get(stream_id)
        if present is not None and present.version >= known.version:
            return
        self._remembered[stream_id] = known
        self._remembered.move_to_end(stream_id)
        if len(self._remembered) > self._limit:
            self._remembered.popitem(last=False)

    def forget(self, stream_id: UUID) -> None:
        self._remembered.pop(stream_id, None)

    async def load(self, aggregate: Aggregate[S, C, E], stream_id: UUID) -> Known[S]:
        """Read a stream from the log and remember it. Raises LogUnavailable."""
        loading = self._loading.setdefault(stream_id, _Loading())
        loading.readers += 1
        try:
            history = await self._log.load(stream_id)
        except (psycopg.OperationalError, PoolTimeout) as lost:
            raise LogUnavailable from lost
        finally:
            loading.readers -= 1
            if not loading.readers:
                del self._loading[stream_id]
        if not history:
            return Known()
        last = history[-1]
        state = aggregate.fold(stored.recorded.event for stored in history)
        known = Known(state, last.version, digest(last.state), last.position, last.recorded.tenant_id)
        if loading.passed <= known.version:
            self.remember(stream_id, known)
        return known

    async def recent(self, aggregate: Aggregate[S, C, E], stream_id: UUID) -> Known[S]:
        """Give a stream as it was a moment ago, to read beside a command, such as a price. Raises LogUnavailable."""
        return self.remembered(stream_id) or await self.load(aggregate, stream_id)

    async def follow(self, feed: Feed, *, after: int) -> None:
        """Notice what was committed after a position; runs until cancelled."""
        while True:
            for stored in await feed.read(after=after):
                self.notice(stored)
                after = stored.position

    def notice(self, stored: Stored) -> None:
        """Forget a stream that has gone on."""
        known = self._remembered.get(stored.stream_id)
        if known is not None and stored.version > known.version:
            self.forget(stored.stream_id)
        if loading := self._loading.get(stored.stream_id):
            loading.passed = stored.version
