"""The command bus: posted in a transaction, delivered at least once, retried by a ladder, parked in the end."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Final, Protocol

import psycopg
from psycopg_pool import AsyncConnectionPool

from infra.outages import DATABASE_OUTAGES
from infra.outbox import Claimed, Failed, claim, extend, give_back, post, settle
from infra.pace import Pace
from infra.signals import OUTBOX, Signals
from infra.stopping import together
from schemas.commands import Queue, Sent, decode

__all__ = ["LADDER", "Bus", "Handle", "OutboxBus", "described", "post"]

Handle = Callable[[Sent], Awaitable[None]]
"""Idempotent by `sent.message_id`: a command may come again, also while its first delivery still runs."""

LADDER: Final = (timedelta(seconds=1), timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=10))
"""Pause after the first, second, ... failed delivery. A failure after the last pause parks the command."""

PROCESS_ENDED: Final = "The process ended during each attempt"
"""The error of a parked command whose handler never got to fail."""

HANDLE_SECONDS: Final = 60
"""A handler that takes longer has failed."""

_POLL_SECONDS: Final = 0.25
_TURN_SECONDS: Final = 0.02
_RECONNECT_SECONDS: Final = 0.5
_LEASE: Final = timedelta(seconds=6)
_MAIL_ADDRESS: Final = re.compile(r"[^\s<>@]+@[^\s<>@]+")
_log: Final = logging.getLogger(__name__)


class Bus(Protocol):
    """The receiving side. Commands of one queue may overtake each other."""

    def consume(self, queue: Queue, handle: Handle, *, concurrency: int) -> None:
        """Name the one consumer of a queue, before the bus runs."""

    async def run(self) -> None:
        """Deliver until cancelled; returns at once when there is no consumer.

        What was under way then is delivered again later.
        """


@dataclass(frozen=True, slots=True)
class _Sharing:
    pool: AsyncConnectionPool
    signals: Signals
    ladder: tuple[timedelta, ...]
    lease: timedelta


class OutboxBus:
    """Delivers outbox rows inside this process; several processes may share one outbox.

    An attempt is counted before the handler is called, so a command that kills the process is parked too.
    """

    def __init__(
        self,
        pool: AsyncConnectionPool,
        signals: Signals,
        *,
        ladder: Sequence[timedelta] = LADDER,
        lease: timedelta = _LEASE,
    ) -> None:
        self._sharing = _Sharing(pool, signals, tuple(ladder), lease)
        self._deliveries: dict[Queue, _Delivery] = {}

    def consume(self, queue: Queue, handle: Handle, *, concurrency: int) -> None:
        """Name the one consumer of a queue; raises ValueError when it has one."""
        if queue in self._deliveries:
            raise ValueError(f"{queue} has a consumer already")
        self._deliveries[queue] = _Delivery(self._sharing, queue, handle, concurrency)

    async def run(self) -> None:
        """Deliver until cancelled, through database outages; leaves nothing claimed."""
        await together(*[delivery.run() for delivery in self._deliveries.values()])


class _Delivery:
    """One queue: each turn writes what was handled and claims what there is room for, in one transaction."""

    def __init__(self, bus: _Sharing, queue: Queue, handle: Handle, concurrency: int) -> None:
        self._bus = bus
        self._waiter = bus.signals.waiter(OUTBOX[queue])
        self._queue: Queue = queue
        self._pace = Pace(_TURN_SECONDS, rest=4)
        self._handle = handle
        self._concurrency = concurrency
        self._under_way: dict[int, Claimed] = {}
        self._done: list[int] = []
        self._failed: list[Failed] = []
        self._renew_at = 0.0

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as handling:
                while True:
                    await self._pace.keep()
                    began_at = monotonic()
                    try:
                        claimed = await self._turn()
                    except psycopg.OperationalError as error:
                        _log.warning("%s: the database did not answer: %s", self._queue, described(error))
                        await asyncio.sleep(_RECONNECT_SECONDS)
                        continue
                    self._pace.ended(began_at)
                    for command in claimed:
                        handling.create_task(self._deliver(command))
                    await self._waiter.wait(min(_POLL_SECONDS, self._bus.lease.total_seconds() / 3))
        finally:
            await self._stop()

    async def _turn(self) -> list[Claimed]:
        done, failed = len(self._done), len(self._failed)
        lease, renew = self._bus.lease, monotonic() >= self._renew_at
        free = max(0, self._concurrency - len(self._under_way))
        suspects = 0 if any(command.suspect for command in self._under_way.values()) else min(1, free)
        async with self._bus.pool.connection() as connection:
            await settle(connection, done=self._done[:done], failed=self._failed[:failed])
            if renew and self._under_way:
                await extend(connection, list(self._under_way), lease)
            claimed = await claim(connection, self._queue, limit=free, suspects=suspects, lease=lease)
        del self._done[:done], self._failed[:failed]
        if renew:
            self._renew_at = monotonic() + lease.total_seconds() / 3
        self._under_way |= {command.outbox_id: command for command in claimed}
        return claimed

    async def _deliver(self, command: Claimed) -> None:
        if command.attempts > len(self._bus.ladder) + 1:
            self._failed.append(Failed(command.outbox_id, PROCESS_ENDED, None))
        else:
            await self._attempt(command)
        self._under_way.pop(command.outbox_id, None)
        self._waiter.wake()

    async def _attempt(self, command: Claimed) -> None:
        try:
            async with asyncio.timeout(HANDLE_SECONDS):
                await self._handle(decode(command.body))
        except Exception as error:  # noqa: BLE001  # the outermost loop: whatever it is, it is retried, then parked
            said = described(error)
            pauses = self._bus.ladder[command.attempts - 1 : command.attempts]
            self._failed.append(Failed(command.outbox_id, said, pauses[0] if pauses else None))
            _log.warning("%s: %s failed, attempt %d: %s", self._queue, command.message_id, command.attempts, said)
        else:
            self._done.append(command.outbox_id)

    async def _stop(self) -> None:
        try:
            async with self._bus.pool.connection() as connection, connection.transaction():
                await settle(connection, done=self._done, failed=self._failed)
                await give_back(connection, list(self._under_way))
        except DATABASE_OUTAGES as error:
            _log.warning("%s: left to its leases: %s", self._queue, described(error))


def described(error: BaseException) -> str:
    """Say what failed in one line, without a mail address and without the input that a validation error quotes."""
    line = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {_MAIL_ADDRESS.sub('<address>', line)}"[:300].removesuffix(": ")
