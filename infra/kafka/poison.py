"""Events that cannot be put on Kafka: parked with all that follows in their streams, until a person decides."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from psycopg_pool import AsyncConnectionPool

from infra.event_log import Stored
from schemas.ids import new_id

CONSUMER: Final = "relay"
"""Whose dead letters these are; those of a relay for a pinned consumer add its name."""

NOT_PUBLISHED: Final = """
SELECT position FROM dead_letters
WHERE kind = 'event' AND consumer = %(consumer)s AND (status <> 'retried' OR published_at IS NULL)
"""
"""Positions that are rightly not on the topics of `consumer`."""

_OPEN: Final = """
SELECT stream_id, version, status FROM dead_letters
WHERE kind = 'event' AND consumer = %(consumer)s AND (status <> 'retried' OR published_at IS NULL)
"""
_RELEASED: Final = """
SELECT notification_id, originator_id, originator_version, topic, state FROM dead_letters released
JOIN stored_events ON originator_id = stream_id AND originator_version = version
WHERE kind = 'event' AND consumer = %(consumer)s AND status = 'retried' AND published_at IS NULL AND NOT EXISTS (
    SELECT FROM dead_letters earlier WHERE earlier.kind = 'event' AND earlier.consumer = %(consumer)s
        AND earlier.stream_id = released.stream_id AND earlier.version < released.version
        AND earlier.status IN ('parked', 'waiting'))
ORDER BY notification_id LIMIT %(limit)s
"""
# A person who releases the stream at this moment is waited for, so that nothing stays behind.
_LOCK: Final = """
SELECT FROM dead_letters WHERE kind = 'event' AND consumer = %(consumer)s AND stream_id = ANY(%(streams)s) FOR UPDATE
"""
_PARK: Final = """
INSERT INTO dead_letters (dead_letter_id, kind, consumer, stream_id, version, position, error, attempts, status)
VALUES (%(id)s, 'event', %(consumer)s, %(stream_id)s, %(version)s, %(position)s, %(said)s, 1, 'parked')
ON CONFLICT (consumer, stream_id, version) WHERE kind = 'event'
    DO UPDATE SET status = 'parked', error = excluded.error, attempts = dead_letters.attempts + 1, published_at = NULL
    WHERE dead_letters.status = 'retried'
"""
# Released with the rest of its stream when a person was faster.
_HOLD: Final = """
INSERT INTO dead_letters (dead_letter_id, kind, consumer, stream_id, version, position, error, attempts, status)
SELECT %(id)s, 'event', %(consumer)s, stream_id, version, position, 'waits for an earlier event of its stream', 0,
    CASE WHEN EXISTS (
        SELECT FROM dead_letters earlier WHERE earlier.kind = 'event' AND earlier.consumer = %(consumer)s
            AND earlier.stream_id = new.stream_id AND earlier.status IN ('parked', 'waiting')
    ) THEN 'waiting' ELSE 'retried' END
FROM (VALUES (%(stream_id)s::uuid, %(version)s::bigint, %(position)s::bigint)) AS new (stream_id, version, position)
ON CONFLICT (consumer, stream_id, version) WHERE kind = 'event'
    DO UPDATE SET status = 'waiting' WHERE dead_letters.status = 'retried' AND dead_letters.published_at IS NULL
        AND excluded.status = 'waiting'
"""
_PUBLISHED: Final = """
UPDATE dead_letters SET published_at = now()
WHERE kind = 'event' AND consumer = %(consumer)s AND status = 'retried' AND position = ANY(%(positions)s)
"""


@dataclass(frozen=True, slots=True)
class Aside:
    """What the relay must not publish in its turn."""

    streams: Mapping[UUID, int] = field(default_factory=dict)
    """Versions from which on they wait: that event is parked, or released and not published yet."""
    discarded: frozenset[tuple[UUID, int]] = frozenset()
    """Streams and versions that are never published."""


class Poison:
    """Raises psycopg.OperationalError when the database cannot be reached."""

    def __init__(self, pool: AsyncConnectionPool, consumer: str = CONSUMER) -> None:
        self._pool = pool
        self._values = {"consumer": consumer}

    async def aside(self) -> Aside:
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(_OPEN, self._values)).fetchall()
        waiting: dict[UUID, int] = {}
        for stream_id, version, status in rows:
            if status != "discarded":
                waiting[stream_id] = min(version, waiting.get(stream_id, version))
        return Aside(
            waiting,
            frozenset((stream_id, version) for stream_id, version, status in rows if status == "discarded"),
        )

    async def released(self, limit: int) -> list[Stored]:
        """Give what a person has the relay try again, in commit order."""
        async with self._pool.connection() as connection, connection.cursor(binary=True) as cursor:
            await cursor.execute(_RELEASED, {**self._values, "limit": limit})
            return [Stored(*row) for row in await cursor.fetchall()]

    async def park(self, poison: Sequence[tuple[Stored, str]], held: Sequence[Stored]) -> None:
        """Put events aside, each poisonous one with its fault."""
        streams = {stored.stream_id for stored, _ in poison} | {stored.stream_id for stored in held}
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(_LOCK, {**self._values, "streams": list(streams)})
            async with connection.cursor() as cursor:
                await cursor.executemany(
                    _PARK, [{**self._values, **_reference(stored), "said": said} for stored, said in poison]
                )
                await cursor.executemany(_HOLD, [{**self._values, **_reference(stored)} for stored in held])

    async def published(self, positions: Collection[int]) -> None:
        """Remember that what was released is on its topic."""
        async with self._pool.connection() as connection:
            await connection.execute(_PUBLISHED, {**self._values, "positions": list(positions)})


def _reference(stored: Stored) -> dict[str, object]:
    return {
        "id": new_id(),
        "stream_id": stored.stream_id,
        "version": stored.version,
        "position": stored.position,
    }
