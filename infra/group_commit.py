"""One transaction for many commands: what each of them stores, and the connection that it goes over."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

import psycopg
from psycopg import AsyncConnection, sql

from infra.signals import EVENTS
from schemas.recorded import Recorded

LOG_LOCK: Final = 0x0F10_0E57
"""Advisory lock of every transaction that appends. It is held until the commit is visible, so that position order is
commit order; unlike a table lock it leaves VACUUM alone."""

_TAKE_LOCK: Final = f"SELECT pg_advisory_xact_lock({LOG_LOCK})"
_APPEND: Final = Path(__file__).with_name("append.sql").read_bytes()
_NOTIFY: Final = sql.SQL("NOTIFY {}").format(sql.Identifier(EVENTS))
_RECOVERY_SECONDS: Final = 5.0
_FIRST_PAUSE_SECONDS: Final = 0.05
_GRACE_SECONDS: Final = 1.0
_OUT_OF_TIME: Final = (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled)
"""The server is there but busy: repeating at once would make it worse."""


@dataclass(frozen=True, slots=True)
class Once:
    """Identity of a command: (tenant_id, subject, key) is unique for ever."""

    tenant_id: str
    subject: str
    key: str
    fingerprint: bytes
    """A hash of what was asked, so that a key used again for something else is noticed."""

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.tenant_id, self.subject, self.key


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

    def heads(self) -> dict[UUID, int]:
        """Give the version that each stream must have. Raises ValueError when the events cannot be a command's."""
        heads: dict[UUID, int] = {}
        versions: dict[UUID, int] = {}
        for event in self.events:
            before = versions.get(event.stream_id)
            if before is None:
                heads[event.stream_id] = before = event.version - 1
            if event.version != before + 1:
                raise ValueError("versions of a command must be contiguous per stream")
            versions[event.stream_id] = event.version
        if not heads or len(self.states) != len(self.events):
            raise ValueError("a command needs at least one event, and the bytes of each")
        return heads


class Outcome(NamedTuple):
    """What became of one command; neither position: its versions do not fit the log."""

    stored_at: int | None
    done_at: int | None
    fingerprint: bytes
    response: bytes
    last_state: bytes
    """What the log holds at `done_at`."""


class GroupCommit:
    """The connection of a writer. Timeouts are in seconds."""

    def __init__(self, dsn: str, *, lock_timeout: float, statement_timeout: float) -> None:
        self._dsn = dsn
        self._longest = lock_timeout + statement_timeout + _GRACE_SECONDS
        self._options = (
            f"-c lock_timeout={round(lock_timeout * 1000)} -c statement_timeout={round(statement_timeout * 1000)} "
            "-c synchronous_commit=on -c enable_seqscan=off -c plan_cache_mode=force_generic_plan"
        )
        self._connection: AsyncConnection[Any] | None = None

    async def __call__(self, appends: Sequence[Append]) -> list[Outcome]:
        """Store what fits. After a lost connection the same batch is sent again: the log knows what it holds.

        Raises psycopg.OperationalError or TimeoutError when lock or server cannot be had within the bounds; it is then
        unknown what is stored. Raises another psycopg.Error or ValueError when a command of the batch cannot be
        stored; then nothing is.
        """
        columns = _columns(appends)
        try:
            return await self._transact(columns)
        except _OUT_OF_TIME:
            raise
        except (psycopg.OperationalError, TimeoutError):
            async with asyncio.timeout(_RECOVERY_SECONDS):
                return await self._repeat(columns)

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def _repeat(self, columns: Sequence[Sequence[object]]) -> list[Outcome]:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._transact(columns)
            except _OUT_OF_TIME:
                raise
            except psycopg.OperationalError:
                await asyncio.sleep(pause)
                pause *= 2

    async def _transact(self, columns: Sequence[Sequence[object]]) -> list[Outcome]:
        """One round trip. Whatever interrupts it also closes the connection, which ends the transaction."""
        connection = await self._connected()
        try:
            async with asyncio.timeout(self._longest):
                async with connection.pipeline():
                    await connection.execute("BEGIN")
                    await connection.execute(_TAKE_LOCK)
                    answer = await connection.execute(_APPEND, columns, prepare=True, binary=True)
                    await connection.execute("COMMIT")
                    await connection.execute(_NOTIFY)
                return [Outcome(*row) for row in await answer.fetchall()]
        except BaseException:
            await connection.close()
            raise

    async def _connected(self) -> AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = await AsyncConnection.connect(
                self._dsn, autocommit=True, options=self._options, connect_timeout=2, tcp_user_timeout=3_000
            )
        return self._connection


def _columns(appends: Sequence[Append]) -> list[list[Any]]:
    """Turn commands into the arrays that `append.sql` takes apart again."""
    commands = [(*append.once.identity, append.once.fingerprint, append.response) for append in appends]
    heads = [
        (number, stream_id, version)
        for number, append in enumerate(appends, start=1)
        for stream_id, version in append.heads().items()
    ]
    events = [
        (number, event.stream_id, event.version, event.event.type, state)
        for number, append in enumerate(appends, start=1)
        for event, state in zip(append.events, append.states, strict=True)
    ]
    return [list(column) for rows in (commands, heads, events) for column in zip(*rows, strict=True)]
