"""Append events with group commit: commands that arrive together are stored by one transaction."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from infra.group_commit import Append, GroupCommit, Once, Outcome
from infra.signals import EVENTS, Signals
from infra.stopping import stop

__all__ = ["AlreadyDone", "Append", "Appended", "Appender", "ConcurrentChange", "KeyReused", "LogUnavailable", "Once"]

_MOST_COMMANDS: Final = 500
_RECALL: Final = """
SELECT position, fingerprint, response FROM idempotency_records WHERE tenant_id = %s AND subject = %s AND key = %s
"""


@dataclass(frozen=True, slots=True)
class Appended:
    position: int
    """Of the command's last event."""


@dataclass(frozen=True, slots=True)
class AlreadyDone:
    """The same command was stored before, by another attempt."""

    position: int
    response: bytes


class ConcurrentChange(Exception):  # noqa: N818 - a state of the world
    """A version is taken, or its predecessor is not in the log: reload and decide again."""


class KeyReused(Exception):  # noqa: N818 - a state of the world
    """The same identity was used for something else."""


class LogUnavailable(Exception):  # noqa: N818 - a state of the world
    """Not known to be stored: the log is locked, overloaded or unreachable. Repeat later with the same identity."""


@dataclass(slots=True, eq=False)
class _Waiting:
    append: Append
    answer: asyncio.Future[Appended | AlreadyDone] = field(default_factory=asyncio.Future)

    def settle(self, outcome: Outcome) -> None:
        once, answer = self.append.once, self.answer
        if answer.done():
            return
        if outcome.stored_at is not None:
            answer.set_result(Appended(outcome.stored_at))
        elif outcome.done_at is None:
            answer.set_exception(ConcurrentChange())
        elif outcome.fingerprint != once.fingerprint:
            answer.set_exception(KeyReused())
        elif outcome.last_state == self.append.states[-1]:  # ours, stored by a COMMIT whose reply was lost
            answer.set_result(Appended(outcome.done_at))
        else:
            answer.set_result(AlreadyDone(outcome.done_at, outcome.response))

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Appender:
    """One writer task on one connection of its own. Use as an async context manager."""

    def __init__(  # noqa: PLR0913 - the limits have defaults
        self,
        dsn: str,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        *,
        signals: Signals | None = None,
        lock_timeout: float = 3.0,
        statement_timeout: float = 5.0,
        capacity: int = 10_000,
    ) -> None:
        """Timeouts are in seconds. When more than `capacity` commands wait, a new one is turned away at once."""
        self._commit = GroupCommit(dsn, lock_timeout=lock_timeout, statement_timeout=statement_timeout)
        self._pool = pool
        self._signals = signals
        self._capacity = capacity
        self._waiting: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    async def append(self, append: Append) -> Appended | AlreadyDone:
        """Store a command's events with its idempotency record; durable when this returns.

        Cancelling the caller leaves the outcome open, and nobody else's. Raises ConcurrentChange, KeyReused,
        LogUnavailable.
        """
        if self._writing is None or self._writing.done() or len(self._waiting) >= self._capacity:
            raise LogUnavailable
        waiting = _Waiting(append)
        self._waiting.append(waiting)
        self._arrived.set()
        return await waiting.answer

    async def recall(self, once: Once) -> AlreadyDone | None:
        """Look a command up before deciding. Raises KeyReused, LogUnavailable."""
        try:
            async with self._pool.connection() as connection:
                row = await (await connection.execute(_RECALL, once.identity, binary=True)).fetchone()
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise LogUnavailable from error
        if row is None:
            return None
        position, fingerprint, response = row
        if fingerprint != once.fingerprint:
            raise KeyReused
        return AlreadyDone(position, response)

    async def __aenter__(self) -> Self:
        self._writing = asyncio.create_task(self._write(), name="appender")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writing is not None:
            await stop([self._writing])

    async def _write(self) -> None:
        batch: list[_Waiting] = []
        try:
            while True:
                await self._arrived.wait()
                if batch := self._take():
                    await self._store(batch)
                else:
                    self._arrived.clear()
        finally:
            self._turn_away(batch)
            await self._commit.close()

    def _take(self) -> list[_Waiting]:
        """Give the next batch. A second command of one identity is put off, so that it meets the first one's record."""
        batch: dict[tuple[str, str, str], _Waiting] = {}
        put_off: list[_Waiting] = []
        while self._waiting and len(batch) + len(put_off) < _MOST_COMMANDS:
            waiting = self._waiting.popleft()
            identity = waiting.append.once.identity
            if waiting.answer.done():  # its caller has gone
                continue
            if identity in batch:
                put_off.append(waiting)
            else:
                batch[identity] = waiting
        self._waiting += put_off
        return list(batch.values())

    async def _store(self, batch: Sequence[_Waiting]) -> None:
        try:
            outcomes = await self._commit([waiting.append for waiting in batch])
        except (psycopg.OperationalError, TimeoutError):
            self._turn_away(batch)
        except (psycopg.Error, ValueError) as error:
            await self._store_singly(batch, error)
        else:
            for waiting, outcome in zip(batch, outcomes, strict=True):
                waiting.settle(outcome)
            if self._signals is not None:
                self._signals.poke(EVENTS)

    async def _store_singly(self, batch: Sequence[_Waiting], error: Exception) -> None:
        """Find the command that the database refuses, so that it fails alone."""
        if len(batch) > 1:
            for waiting in batch:
                await self._store([waiting])
        elif isinstance(error, psycopg.errors.UniqueViolation):  # somebody wrote past the lock
            batch[0].fail(ConcurrentChange())
        else:
            batch[0].fail(error)

    def _turn_away(self, batch: Sequence[_Waiting]) -> None:
        """Answer everybody at once; behind a log that is not there, waiting longer helps nobody."""
        for waiting in (*batch, *self._waiting):
            waiting.fail(LogUnavailable())
        self._waiting.clear()
