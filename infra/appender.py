"""Append events with group commit: commands that arrive together are stored by one transaction."""

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from infra.signals import Signals
from schemas.recorded import Recorded


@dataclass(frozen=True, slots=True)
class Once:
    """Identity of a command: (tenant_id, subject, key) is unique for ever."""

    tenant_id: str
    subject: str
    key: str
    fingerprint: bytes
    """SHA-256 of what was asked, so that a key used again for something else is noticed."""


@dataclass(frozen=True, slots=True)
class Append:
    """What one command stores: all of it or nothing."""

    events: tuple[Recorded, ...]
    """At least one; of one or more streams; versions contiguous per stream."""
    states: tuple[bytes, ...]
    """The encoded bytes of each event."""
    once: Once
    response: bytes
    """Opaque; given to a repeat of the command."""


@dataclass(frozen=True, slots=True)
class Appended:
    position: int
    """Of the command's last event."""


@dataclass(frozen=True, slots=True)
class AlreadyDone:
    """The same command was stored before, by another attempt."""

    position: int
    response: bytes


class ConcurrentChange(Exception):  # noqa: N818  # named for the state of the world
    """A version is taken, or its predecessor is not in the log: reload and decide again."""


class KeyReused(Exception):  # noqa: N818
    """The same identity was used for something else."""


class LogUnavailable(Exception):  # noqa: N818
    """Not known to be stored: the log is locked, overloaded or unreachable. Repeat later with the same identity."""


class Appender:
    """One writer task on one connection of its own. Use as an async context manager."""

    def __init__(
        self,
        dsn: str,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        *,
        signals: Signals | None = None,
        lock_timeout: float = 2.0,
        statement_timeout: float = 5.0,
        capacity: int = 10_000,
    ) -> None:
        raise NotImplementedError

    async def append(self, append: Append) -> Appended | AlreadyDone:
        """Store a command's events with its idempotency record; durable when this returns.

        Raises ConcurrentChange, KeyReused, LogUnavailable.
        """
        raise NotImplementedError

    async def recall(self, once: Once) -> AlreadyDone | None:
        """Look a command up before deciding. Raises KeyReused, LogUnavailable."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        raise NotImplementedError

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError
