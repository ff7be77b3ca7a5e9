"""The outbox table: commands are posted with what caused them, claimed in batches, settled in batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from psycopg import AsyncConnection

from infra.signals import OUTBOX
from schemas.commands import Queue, Sent, encode, queue_of
from schemas.ids import new_id

_POST: Final = """
WITH posted AS (
    INSERT INTO outbox (message_id, queue, body)
    SELECT * FROM unnest(%b::uuid[], %b::text[], %b::bytea[]) ON CONFLICT (message_id) DO NOTHING
)
SELECT pg_notify(channel, '') FROM unnest(%b::text[]) AS woken (channel)
"""
# A row that was claimed before and has no error was in flight when its process ended. It may be what ended it, so such
# rows are handed out one at a time: a command that kills processes uses up its own attempts, not its neighbours'.
_CLAIM: Final = """
WITH due AS (
    SELECT outbox_id FROM outbox
    WHERE queue = %(queue)s AND available_at <= now() AND (attempts = 0 OR last_error IS NOT NULL)
    ORDER BY available_at, outbox_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), suspect AS (
    SELECT outbox_id FROM outbox
    WHERE queue = %(queue)s AND available_at <= now() AND attempts > 0 AND last_error IS NULL
    ORDER BY available_at, outbox_id LIMIT %(suspects)s FOR UPDATE SKIP LOCKED
)
UPDATE outbox SET attempts = attempts + 1, last_error = NULL, available_at = now() + %(lease)s
WHERE outbox_id IN (SELECT outbox_id FROM due UNION ALL SELECT outbox_id FROM suspect)
RETURNING outbox_id, message_id, body, attempts, outbox_id IN (SELECT outbox_id FROM suspect)
"""
# The transaction that looks holds the rows by their locks, so that nobody else finds them while it publishes them.
_DUE: Final = """
SELECT outbox_id, message_id, body FROM outbox
WHERE queue = %s AND available_at <= now() ORDER BY available_at, outbox_id LIMIT %s FOR UPDATE SKIP LOCKED
"""
_DEFER: Final = "UPDATE outbox SET last_error = %s, available_at = now() + %s WHERE outbox_id = ANY(%s)"
_RETRY: Final = "UPDATE outbox SET last_error = %s, available_at = now() + %s WHERE outbox_id = %s"
_TAKE_OUT: Final = "DELETE FROM outbox WHERE outbox_id = %s RETURNING queue, message_id, body, attempts"
_PARK: Final = """
INSERT INTO dead_letters (dead_letter_id, kind, consumer, message_id, body, error, attempts)
VALUES (%s, 'command', %s, %s, %s, %s, %s)
ON CONFLICT (consumer, message_id) WHERE kind = 'command'
DO UPDATE SET error = excluded.error, attempts = excluded.attempts, status = 'parked', parked_at = now()
"""
_EXTEND: Final = "UPDATE outbox SET available_at = now() + %s WHERE outbox_id = ANY(%s)"
_GIVE_BACK: Final = "UPDATE outbox SET attempts = attempts - 1, available_at = now() WHERE outbox_id = ANY(%s)"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that is ours until its lease ends."""

    outbox_id: int
    message_id: UUID
    body: bytes
    attempts: int
    """Deliveries, this one included; stored before the work begins."""
    suspect: bool
    """A process ended while it handled this command."""


@dataclass(frozen=True, slots=True)
class Failed:
    outbox_id: int
    error: str
    retry_after: timedelta | None
    """None parks the command in `dead_letters`."""


@dataclass(frozen=True, slots=True)
class Due:
    """A row that is ours until the transaction ends."""

    outbox_id: int
    message_id: UUID
    body: bytes


@dataclass(frozen=True, slots=True)
class Parked:
    """A command that nobody tries again by himself."""

    queue: Queue
    message_id: UUID
    body: bytes
    error: str
    attempts: int


async def post(connection: AsyncConnection, commands: Sequence[Sent]) -> None:
    """Send commands if and only if the caller's transaction commits. A message that still waits is not posted twice."""
    if not commands:
        return
    ids = [sent.message_id for sent in commands]
    queues = [queue_of(sent.command) for sent in commands]
    bodies = [encode(sent) for sent in commands]
    await connection.execute(_POST, (ids, list[str](queues), bodies, [OUTBOX[queue] for queue in set(queues)]))


async def settle(connection: AsyncConnection, *, done: Sequence[int], failed: Sequence[Failed]) -> None:
    """Write what became of claimed rows, in the caller's transaction."""
    if done:
        await connection.execute("DELETE FROM outbox WHERE outbox_id = ANY(%s)", (list(done),))
    for failure in failed:
        if failure.retry_after is None:
            gone = await (await connection.execute(_TAKE_OUT, (failure.outbox_id,))).fetchone()
            if gone:
                queue, message_id, body, attempts = gone
                await park(connection, Parked(queue, message_id, body, failure.error, attempts))
        else:
            await connection.execute(_RETRY, (failure.error, failure.retry_after, failure.outbox_id))


async def claim(
    connection: AsyncConnection, queue: Queue, *, limit: int, suspects: int, lease: timedelta
) -> list[Claimed]:
    """Take due rows, oldest first; nobody else is given them for `lease`."""
    values = {"queue": queue, "limit": limit, "suspects": suspects, "lease": lease}
    rows = await (await connection.execute(_CLAIM, values)).fetchall()
    return sorted((Claimed(*row) for row in rows), key=lambda claimed: claimed.outbox_id)


async def extend(connection: AsyncConnection, outbox_ids: Sequence[int], lease: timedelta) -> None:
    """Keep what is still being handled."""
    await connection.execute(_EXTEND, (lease, list(outbox_ids)))


async def give_back(connection: AsyncConnection, outbox_ids: Sequence[int]) -> None:
    """Undo a claim whose delivery was stopped on purpose."""
    await connection.execute(_GIVE_BACK, (list(outbox_ids),))


async def due(connection: AsyncConnection, queue: Queue, *, limit: int) -> list[Due]:
    """Lock due rows, oldest first, that nobody else holds; in the caller's transaction."""
    return [Due(*row) for row in await (await connection.execute(_DUE, (queue, limit))).fetchall()]


async def defer(connection: AsyncConnection, outbox_ids: Sequence[int], error: str, pause: timedelta) -> None:
    """Let rows wait that could not be sent on; it is not an attempt at what they ask for."""
    await connection.execute(_DEFER, (error, pause, list(outbox_ids)))


async def park(connection: AsyncConnection, command: Parked) -> None:
    """Write a command to `dead_letters`; one that was there before is there anew."""
    values = (new_id(), command.queue, command.message_id, command.body, command.error, command.attempts)
    await connection.execute(_PARK, values)
