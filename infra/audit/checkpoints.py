"""Makes checkpoints: what was appended since the last one grows the tree, and its new root is signed and handed out."""

import asyncio
import os
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range
from psycopg_pool import AsyncConnectionPool

from infra.audit.merkle import Frontier
from infra.audit.note import LogKey
from infra.audit.signed import leads_to
from infra.audit.verify_bundle import Checkpoint, Place, Refused, leaf_hash, open_note
from infra.event_log import COLUMNS

FOLDER: Final = "checkpoints"
LOCK: Final = 0x0F10_C4EC
"""Advisory lock of whoever makes a checkpoint."""
_PAGE: Final = 1_000
_TAKE_LOCK: Final = f"SELECT pg_advisory_xact_lock({LOCK})"
_DURABLE: Final = "SET LOCAL synchronous_commit = on"
_NEWEST: Final = "SELECT note, frontier FROM log_checkpoints ORDER BY size DESC LIMIT 1"
_READ: Final = COLUMNS + "WHERE notification_id > %s ORDER BY notification_id LIMIT %s"
_IS_THERE: Final = "SELECT count(*) FROM stored_events WHERE notification_id >= %s LIMIT 1"
_KEEP: Final = """
INSERT INTO log_checkpoints (size, position, note, frontier, positions, leaves) VALUES (%s, %s, %s, %s, %s, %s)
"""

Connection = AsyncConnection[Any]


class NotSigned(Exception):  # noqa: N818 - a state of the world
    """The log cannot be what was signed before: says in a sentence why nothing more is signed."""


class Made(NamedTuple):
    """The newest checkpoint."""

    note: str
    size: int
    position: int


class Checkpoints:
    """Of one log, whose key is at hand; files go into `folder`, the public key with them."""

    def __init__(self, pool: AsyncConnectionPool[Connection], key: LogKey, folder: Path, *, most: int = 50_000) -> None:
        """At most so many events are in one checkpoint: a backlog makes several."""
        self._pool = pool
        self._key = key
        self._folder = folder
        self._most = most

    async def make(self) -> Made | None:
        """Sign what is new, if anything is; gives the newest, None for an empty log. Raises NotSigned, OSError."""
        while True:
            async with self._pool.connection() as connection, connection.transaction():
                await connection.execute(_DURABLE)
                await connection.execute(_TAKE_LOCK)
                made, events = await self._sign(connection)
            if made is not None:
                await asyncio.to_thread(hand_out, self._folder, self._key, made)
            if events < self._most:
                return made

    async def _sign(self, connection: Connection) -> tuple[Made | None, int]:
        note, newest, frontier = await self._newest(connection)
        after = newest.position
        positions, leaves = list[int](), list[bytes]()
        while (room := self._most - len(leaves)) and (rows := await _read(connection, after, min(room, _PAGE))):
            leaves += (leaf_hash(place, state) for place, state in rows)
            positions += (place.position for place, _ in rows)
            after = positions[-1]
        if not leaves:
            return (Made(note, newest.size, newest.position) if note else None), 0
        root = frontier.extend(leaves).root()
        note = self._key.sign(frontier.size, root, after)
        values = (frontier.size, after, note, bytes(frontier), _ranges(positions), b"".join(leaves))
        await connection.execute(_KEEP, values)
        return Made(note, frontier.size, after), len(leaves)

    async def _newest(self, connection: Connection) -> tuple[str | None, Checkpoint, Frontier]:
        row = await (await connection.execute(_NEWEST)).fetchone()
        if row is None:
            return None, Checkpoint(self._key.origin, 0, b"", 0), Frontier()
        note, frontier = row
        try:
            checkpoint = open_note(note, self._key.public)
        except Refused as wrong:
            raise NotSigned(f"The newest checkpoint is not one of this key: {wrong}") from wrong
        if not leads_to(checkpoint, frontier):
            raise NotSigned("What is kept with the newest checkpoint was changed. Run `orderflow audit verify`.")
        if not (await (await connection.execute(_IS_THERE, (checkpoint.position,))).fetchone() or (0,))[0]:
            raise NotSigned(f"The log ends before position {checkpoint.position}, which was signed.")
        return note, checkpoint, Frontier(checkpoint.size, frontier)


async def _read(connection: Connection, after: int, most: int) -> list[tuple[Place, bytes]]:
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(_READ, (after, most))
        rows = await cursor.fetchall()
    return [
        (Place(position, stream_id, version, topic or ""), state or b"")
        for position, stream_id, version, topic, state in rows
    ]


def _ranges(positions: list[int]) -> Multirange[int]:
    """Write ascending positions as runs without holes."""
    runs = [[at for _, at in run] for _, run in groupby(enumerate(positions), lambda each: each[1] - each[0])]
    return Multirange([Range(run[0], run[-1] + 1) for run in runs])


def name_of(size: int) -> str:
    return f"checkpoint-{size:012}.txt"


def hand_out(folder: Path, key: LogKey, made: Made) -> None:
    """Write a checkpoint where an operator finds it, and the public key beside it; what is there already stays.

    Raises NotSigned when that is another one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in ((name_of(made.size), made.note), ("log-key.pub", f"{key.public}\n")):
        file = folder / name
        if not file.exists():
            unfinished = folder / f".{name}.{os.getpid()}"
            unfinished.write_text(text)
            unfinished.replace(file)
        elif file.read_text() != text:
            raise NotSigned(f"{file} says something else: the log was rewritten since, or the file was changed.")
