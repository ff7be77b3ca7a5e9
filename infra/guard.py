"""What a subscription remembers: how far it is, which version of each stream it applied, and what it parked."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

from infra.event_log import Stored
from infra.signals import PROJECTED
from schemas.ids import new_id

_REACHED: Final = "SELECT position FROM subscription_positions WHERE subscription = %s"
# Its row lock also makes two followers of one subscription take turns.
_OPEN: Final = """
WITH reached AS (
    INSERT INTO subscription_positions (subscription, position) VALUES (%(name)s, %(position)s)
    ON CONFLICT (subscription) DO UPDATE SET
        position = greatest(subscription_positions.position, excluded.position), updated_at = now()
    RETURNING position
)
SELECT pg_notify(%(channel)s, %(name)s || ' ' || position) FROM reached
"""
_SEEN: Final = """
SELECT asked.stream_id, coalesce(seen.version, 0), EXISTS (
    SELECT FROM dead_letters parked
    WHERE parked.kind = 'event' AND parked.consumer = %(name)s AND parked.stream_id = asked.stream_id
        AND parked.status IN ('parked', 'waiting'))
FROM unnest(%(streams)s::uuid[]) AS asked (stream_id)
LEFT JOIN subscription_versions seen ON seen.subscription = %(name)s AND seen.stream_id = asked.stream_id
"""
_APPLIED: Final = """
INSERT INTO subscription_versions (subscription, stream_id, version)
SELECT %s, * FROM unnest(%s::uuid[], %s::bigint[])
ON CONFLICT (subscription, stream_id) DO UPDATE SET version = excluded.version
"""
_PARK: Final = """
INSERT INTO dead_letters (dead_letter_id, kind, consumer, stream_id, version, position, error, attempts, status)
VALUES (%s, 'event', %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (consumer, stream_id, version) WHERE kind = 'event' DO NOTHING
"""


class Seen(NamedTuple):
    version: int
    """The newest version that was applied; 0 before the first."""
    parked: bool
    """An event of the stream waits for a person, so later ones must wait too."""


class Guard:
    """Every method runs in the caller's transaction."""

    def __init__(self, connection: AsyncConnection[Any], subscription: str) -> None:
        self._connection = connection
        self._subscription = subscription

    async def reached(self) -> int:
        """Give the position to go on after; a hint, for the versions decide what is applied."""
        row = await (await self._connection.execute(_REACHED, (self._subscription,))).fetchone()
        return int(row[0]) if row else 0

    async def open(self, position: int) -> None:
        """Go to a position, never back, and tell those who wait for it, once the transaction commits."""
        values = {"name": self._subscription, "position": position, "channel": PROJECTED}
        await self._connection.execute(_OPEN, values)

    async def seen(self, streams: Iterable[UUID]) -> dict[UUID, Seen]:
        values = {"name": self._subscription, "streams": list(streams)}
        rows = await (await self._connection.execute(_SEEN, values)).fetchall()
        return {stream_id: Seen(version, parked) for stream_id, version, parked in rows}

    async def applied(self, versions: Mapping[UUID, int]) -> None:
        await self._connection.execute(_APPLIED, (self._subscription, list(versions), list(versions.values())))

    async def park(self, stored: Stored, *, error: str, attempts: int) -> None:
        """Put an event that failed aside; a reference, never its body."""
        await self._insert(stored, error, attempts, "parked")

    async def hold(self, stored: Stored) -> None:
        """Put aside what must not overtake a parked event of its stream."""
        await self._insert(stored, "waits for an earlier event of its stream", 0, "waiting")

    async def _insert(self, stored: Stored, error: str, attempts: int, status: str) -> None:
        reference = (stored.stream_id, stored.version, stored.position)
        await self._connection.execute(_PARK, (new_id(), self._subscription, *reference, error, attempts, status))
