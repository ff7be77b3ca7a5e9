"""The tail of the log, read once per process and shared by every reader in it."""

import asyncio
import logging
from bisect import bisect_right
from contextlib import suppress
from operator import attrgetter
from types import TracebackType
from typing import Final, Self

import psycopg

from infra.event_log import EventLog, Stored
from infra.pace import Pace
from infra.signals import EVENTS, Signals
from infra.stopping import stop

_POLL_SECONDS: Final = 0.25
_PACE_SECONDS: Final = 0.003
_PAGE: Final = 1_000
_RING: Final = 8_192
_position: Final = attrgetter("position")
_log: Final = logging.getLogger(__name__)


class Feed:
    """A ring of the newest events with the log behind it.

    From the first read on, inside `async with`, one task follows the log: it polls every 0.25 s, and a signal on EVENTS
    only shortens that wait.
    A reader that is behind the ring reads the log by itself. Readers share each `Stored`, so an event is decoded once;
    one that cannot be decoded is passed on like any other, and only who looks into it is told.
    """

    def __init__(self, log: EventLog, signals: Signals, *, ring: int = _RING, pace: float = _PACE_SECONDS) -> None:
        """`ring` is how many of the newest events are kept in memory, `pace` the seconds between two reads at least."""
        self._log = log
        self._signals = signals
        self._size = ring
        self._pace = pace
        self._ring: list[Stored] = []
        self._floor = 0
        """Everything after this position, up to `_newest`, is in the ring."""
        self._newest = 0
        self._grown = asyncio.Event()
        self._beginning = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None

    async def read(self, *, after: int, limit: int = 500, wait: float = 1.0) -> list[Stored]:
        """Give what was committed after a position, in commit order; after `wait` seconds without any, an empty list.

        Raises psycopg.OperationalError when the first reader, or one behind the ring, cannot reach the log.
        """
        await self._begin()
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                while self._floor <= after >= self._newest:
                    await self._grown.wait()
        if after < self._floor:
            return await self._log.read(after=after, limit=limit)
        start = bisect_right(self._ring, after, key=_position)
        return self._ring[start : start + limit]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._following is not None:
            await stop([self._following])

    async def _begin(self) -> None:
        if self._following is None:
            async with self._beginning:
                if self._following is None:
                    self._floor = self._newest = await self._log.head()
                    self._following = asyncio.create_task(self._follow(), name="feed")

    async def _follow(self) -> None:
        waiter, pace = self._signals.waiter(EVENTS), Pace(self._pace)
        while True:
            await pace.keep()
            try:
                fresh = await self._log.read(after=self._newest, limit=_PAGE)
            except psycopg.Error as lost:
                _log.warning("cannot read the log: %s", type(lost).__name__)
                fresh = []
            if fresh:
                self._grow(fresh)
            if len(fresh) < _PAGE:
                await waiter.wait(_POLL_SECONDS)

    def _grow(self, fresh: list[Stored]) -> None:
        self._ring += fresh
        self._newest = fresh[-1].position
        if len(self._ring) > self._size:
            self._floor = self._ring[-self._size - 1].position
            del self._ring[: -self._size]
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()
