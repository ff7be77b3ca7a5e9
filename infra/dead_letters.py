"""The table `dead_letters`: what could not be applied or carried out, and what people did about it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

Status = Literal["parked", "waiting", "retried", "discarded"]
Kind = Literal["event", "command"]
Deed = Literal["retried", "edited", "discarded"]
EVERY_STATUS: Final[tuple[Status, ...]] = get_args(Status)
SHORT: Final = 8
"""Characters of a short id: the end of a UUIDv7, since letters of the same minute begin alike."""

_LETTERS: Final = """
SELECT letter.dead_letter_id, letter.kind, letter.consumer, letter.status, letter.error, letter.attempts,
    letter.parked_at, letter.stream_id, letter.version, letter.position, letter.message_id, letter.body,
    letter.original_body, coalesce(event.topic, '') AS topic,
    (SELECT count(*) FROM dead_letters later
        WHERE later.kind = 'event' AND later.consumer = letter.consumer AND later.stream_id = letter.stream_id
            AND later.version > letter.version AND later.status IN ('parked', 'waiting')) AS behind
FROM dead_letters letter
LEFT JOIN stored_events event
    ON event.originator_id = letter.stream_id AND event.originator_version = letter.version
"""
_MATCHING: Final = """
WHERE (%(consumer)s::text IS NULL OR letter.consumer = %(consumer)s)
    AND (%(kind)s::text IS NULL OR letter.kind = %(kind)s)
    AND (%(statuses)s::text[] IS NULL OR letter.status = ANY(%(statuses)s))
    AND NOT (%(first_of_stream)s AND letter.status = 'waiting' AND EXISTS (SELECT FROM dead_letters earlier
        WHERE earlier.kind = 'event' AND earlier.consumer = letter.consumer AND earlier.stream_id = letter.stream_id
            AND earlier.version < letter.version AND earlier.status IN ('parked', 'waiting')))
ORDER BY letter.parked_at, letter.dead_letter_id LIMIT %(limit)s
"""
_NAMED: Final = """
WHERE replace(letter.dead_letter_id::text, '-', '') LIKE %(begins)s
    OR replace(letter.dead_letter_id::text, '-', '') LIKE %(ends)s
LIMIT 2
"""
_OF_STREAM: Final = """
WHERE letter.kind = 'event' AND letter.consumer = %(consumer)s AND letter.stream_id = %(stream_id)s
ORDER BY letter.version
"""
_MARK: Final = "UPDATE dead_letters SET status = %s WHERE dead_letter_id = ANY(%s)"
_CLAIM: Final = "SELECT status, body FROM dead_letters WHERE dead_letter_id = %s FOR UPDATE"
_LOCK: Final = """
SELECT FROM dead_letters WHERE kind = 'event' AND consumer = %s AND stream_id = %s FOR UPDATE
"""
_EDIT: Final = """
UPDATE dead_letters SET body = %s, original_body = coalesce(original_body, body) WHERE dead_letter_id = %s
"""
_NOTE: Final = """
INSERT INTO dead_letter_actions (dead_letter_id, action, actor, reason) SELECT unnest(%s::uuid[]), %s, %s, %s
"""
_NOTES: Final = """
SELECT action, actor, acted_at, reason FROM dead_letter_actions WHERE dead_letter_id = %s ORDER BY action_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Letter:
    dead_letter_id: UUID
    consumer: str
    """A subscription's name, `relay`, or a queue's name."""
    status: Status
    error: str
    attempts: int
    parked_at: datetime

    @property
    def short_id(self) -> str:
        return self.dead_letter_id.hex[-SHORT:]

    @property
    def is_open(self) -> bool:
        return self.status in ("parked", "waiting")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLetter(_Letter):
    """A reference to an event in the log, never its content."""

    stream_id: UUID
    version: int
    position: int
    topic: str
    """Wire name; empty when the log does not hold the event."""
    behind: int
    """Later events of the stream that wait for this one."""

    @property
    def what(self) -> str:
        return f"{self.topic or 'an event'} v{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLetter(_Letter):
    message_id: UUID
    body: bytes
    original_body: bytes | None
    """What was parked at first, when the body has been edited."""


Letter = EventLetter | CommandLetter


@dataclass(frozen=True, slots=True)
class Action:
    """What a person did, and why."""

    action: Deed
    actor: str
    acted_at: datetime
    reason: str | None


class NotFound(Exception):  # noqa: N818  # a state of the world
    """No letter, or more than one, has an id like this."""


async def find(connection: AsyncConnection[Any], name: str) -> Letter:
    """Give the letter whose id begins or ends with `name`; raises NotFound."""
    wanted = name.replace("-", "").lower()
    if not wanted or set(wanted) - set("0123456789abcdef"):
        raise NotFound(f"{name!r} is no id of a dead letter.")
    rows = await _rows(connection, _LETTERS + _NAMED, {"begins": f"{wanted}%", "ends": f"%{wanted}"})
    if len(rows) != 1:
        raise NotFound(f"{'More than one' if rows else 'No'} dead letter has an id like {name}.")
    return _letter(rows[0])


async def letters(
    connection: AsyncConnection[Any],
    *,
    consumer: str | None = None,
    kind: Kind | None = None,
    statuses: Collection[Status] | None = None,
    limit: int | None = None,
) -> list[Letter]:
    """Give letters, oldest first. Without `statuses`, those that block: parked, or the first of a stream to wait."""
    values = {
        "consumer": consumer,
        "kind": kind,
        "statuses": ["parked", "waiting"] if statuses is None else list(statuses),
        "first_of_stream": statuses is None,
        "limit": limit,
    }
    return [_letter(row) for row in await _rows(connection, _LETTERS + _MATCHING, values)]


async def of_stream(connection: AsyncConnection[Any], consumer: str, stream_id: UUID) -> list[EventLetter]:
    """Give every letter of a stream in version order, whatever became of it."""
    rows = await _rows(connection, _LETTERS + _OF_STREAM, {"consumer": consumer, "stream_id": stream_id})
    return [letter for letter in map(_letter, rows) if isinstance(letter, EventLetter)]


async def lock_stream(connection: AsyncConnection[Any], consumer: str, stream_id: UUID) -> None:
    """Wait for whoever changes letters of a stream, and hold off others until the transaction ends."""
    await connection.execute(_LOCK, (consumer, stream_id))


async def claim(connection: AsyncConnection[Any], letter: CommandLetter) -> bool:
    """Lock a letter until the transaction ends; False when somebody has dealt with it or changed it since."""
    row = await (await connection.execute(_CLAIM, (letter.dead_letter_id,))).fetchone()
    return row is not None and (row[0], bytes(row[1])) == (letter.status, letter.body)


async def mark(
    connection: AsyncConnection[Any],
    letters: Sequence[Letter],
    status: Literal["retried", "discarded"],
    *,
    actor: str,
    reason: str | None = None,
) -> None:
    """Change the status, and write down who did it and why, in the caller's transaction."""
    ids = [letter.dead_letter_id for letter in letters]
    await connection.execute(_MARK, (status, ids))
    await connection.execute(_NOTE, (ids, status, actor, reason))


async def edit(
    connection: AsyncConnection[Any], letter: CommandLetter, body: bytes, *, actor: str, reason: str | None
) -> None:
    """Replace a body, keeping the first one, in the caller's transaction."""
    await connection.execute(_EDIT, (body, letter.dead_letter_id))
    await connection.execute(_NOTE, ([letter.dead_letter_id], "edited", actor, reason))


async def actions(connection: AsyncConnection[Any], letter: Letter) -> list[Action]:
    """Give what people did with a letter, the oldest first."""
    rows = await (await connection.execute(_NOTES, (letter.dead_letter_id,))).fetchall()
    return [Action(*row) for row in rows]


async def _rows(connection: AsyncConnection[Any], query: str, values: dict[str, Any]) -> list[DictRow]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query.encode(), values)
        return await cursor.fetchall()


def _letter(row: DictRow) -> Letter:
    common = {name: row[name] for name in ("dead_letter_id", "consumer", "status", "error", "attempts", "parked_at")}
    if row["kind"] == "command":
        return CommandLetter(
            **common, message_id=row["message_id"], body=row["body"], original_body=row["original_body"]
        )
    return EventLetter(
        **common,
        stream_id=row["stream_id"],
        version=row["version"],
        position=row["position"],
        topic=row["topic"],
        behind=row["behind"],
    )
