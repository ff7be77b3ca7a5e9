"""Wake readers at once when something was committed; polling stays the truth, a signal only shortens the wait."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Final, Self, get_args
from weakref import WeakSet

import psycopg
from psycopg import sql

from infra.stopping import stop
from schemas.commands import Queue

EVENTS: Final = "orderflow_events"
PROJECTED: Final = "orderflow_projected"
KEYS: Final = "orderflow_keys"
"""A key of a customer was destroyed."""
OUTBOX: Final[Mapping[Queue, str]] = {queue: f"orderflow_outbox_{queue}" for queue in get_args(Queue)}
"""One channel per queue, so that a command wakes the one consumer that it is for."""

_RECONNECT_SECONDS: Final = 0.5
_LOOK_SECONDS: Final = 0.5
"""How soon a channel is listened to that nobody waited for before."""
_log: Final = logging.getLogger(__name__)


class Waiter:
    """Remembers a signal that came while its owner was busy, so nothing is missed between reading and waiting."""

    def __init__(self) -> None:
        self._signalled = asyncio.Event()

    def wake(self) -> None:
        self._signalled.set()

    def woken(self) -> bool:
        """Tell whether there was a signal since this was last asked."""
        signalled = self._signalled.is_set()
        self._signalled.clear()
        return signalled

    async def wait(self, seconds: float) -> None:
        """Return on a signal since the last wait, or after `seconds`. It may be spurious: look, then wait again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._signalled.wait()
        self._signalled.clear()


class Signals:
    """One LISTEN connection per process, for the channels that somebody waits for; every reconnect wakes everybody."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._waiters: defaultdict[str, WeakSet[Waiter]] = defaultdict(WeakSet)
        self._listening: asyncio.Task[None] | None = None

    def waiter(self, channel: str) -> Waiter:
        """Give a waiter of its own to one reader; it ends with the reader's last reference."""
        waiter = Waiter()
        self._waiters[channel].add(waiter)
        return waiter

    def poke(self, channel: str) -> None:
        """Wake this process's readers of a channel without a round trip."""
        for waiter in self._waiters.get(channel, ()):
            waiter.wake()

    async def __aenter__(self) -> Self:
        self._listening = asyncio.create_task(self._listen(), name="signals")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listening is not None:
            await stop([self._listening])

    async def _listen(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as connection:
                    heard = set[str]()
                    while True:
                        for channel in self._waiters.keys() - heard:
                            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                            heard.add(channel)
                            self.poke(channel)
                        async for notice in connection.notifies(timeout=_LOOK_SECONDS):
                            self.poke(notice.channel)
            except psycopg.Error as lost:
                _log.warning("not listening for signals, polling only: %s", type(lost).__name__)
            await asyncio.sleep(_RECONNECT_SECONDS)
