"""What Kafka brought and one subscription has not applied yet."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from infra.event_log import Stored

ROOM: Final = 5_000
_PATIENCE_SECONDS: Final = 1.0


class Arrival:
    """A record for several subscriptions: acknowledged when each of them needs it no longer."""

    __slots__ = ("_acknowledge", "_waiting", "stored")

    def __init__(self, stored: Stored, waiting: int, acknowledge: Callable[[], object]) -> None:
        self.stored = stored
        self._waiting = waiting
        self._acknowledge = acknowledge

    def done(self) -> None:
        self._waiting -= 1
        if self._waiting == 0:
            self._acknowledge()


class Inbox:
    """Closed, it takes nothing: its owner reads the log, where everything is. It closes itself when it stays full.

    So a subscription that is slow holds the others up no longer than a second, and one that is stuck not at all.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._arrivals: deque[Arrival] = deque()
        self._grown = asyncio.Event()
        self._shrunk = asyncio.Event()
        self._taken: list[Arrival] = []
        self.is_open = False

    async def put(self, arrival: Arrival) -> None:
        if self.is_open and len(self._arrivals) >= self._room:
            await self._await_room()
        if self.is_open:
            self._arrivals.append(arrival)
            self._grown.set()
        else:
            arrival.done()

    async def wait(self, seconds: float) -> None:
        """Return when there is something, when it is closed, or after `seconds`."""
        if not self._arrivals and self.is_open:
            self._grown.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._grown.wait()

    def take(self, most: int) -> list[Stored]:
        """Give the oldest; they are done once `applied` is called."""
        self._taken += [self._arrivals.popleft() for _ in range(min(most, len(self._arrivals)))]
        self._shrunk.set()
        return [arrival.stored for arrival in self._taken]

    def applied(self) -> None:
        """Tell that what was taken is done."""
        taken, self._taken = self._taken, []
        for arrival in taken:
            arrival.done()

    def open(self) -> None:
        self.is_open = True

    def close(self) -> None:
        """Forget everything: the log brings it."""
        self.is_open = False
        self.take(len(self._arrivals))
        self.applied()
        self._grown.set()

    async def _await_room(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while self.is_open and len(self._arrivals) >= self._room:
                    self._shrunk.clear()
                    await self._shrunk.wait()
        except TimeoutError:
            self.close()
