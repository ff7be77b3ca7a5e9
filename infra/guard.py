"""What a subscription remembers: how far it is, which version of each stream it applied, and what it parked."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

from infra.event_log import Stored
from infra.signals import PROJECTED
from schemas.base import Category
from schemas.ids import new_id

_SIGHT: Final = 10_000
"""How far one look goes, so that it is never a long statement."""
_REACHED: Final = "SELECT position FROM subscription_positions WHERE subscription = %s"
# The row's lock makes two followers of one subscription take turns.
_LOCK: Final = """
INSERT INTO subscription_positions (subscription, position) VALUES (%s, 0)
ON CONFLICT (subscription) DO UPDATE SET updated_at = now()
"""
_OPEN: Final = """
WITH reached AS (
    INSERT INTO subscription_positions (subscription, position) VALUES (%(name)s, %(position)s)
    ON CONFLICT (subscription) DO UPDATE SET
        position = greatest(subscription_positions.position, excluded.position), updated_at = now()
    RETURNING position
)
SELECT pg_notify(%(channel)s, %(name)s || ' ' || position) FROM reached
"""
# Looks no further than the first event that is not dealt with. Subqueries instead of joins, and a limit, keep the
# planner on the index of the log whatever it believes about sizes.
_REACH: Final = """
WITH here AS (
    SELECT coalesce((SELECT position FROM subscription_positions WHERE subscription = %(name)s), 0) AS position
), ahead AS NOT MATERIALIZED (
    SELECT notification_id, originator_id, originator_version, topic FROM stored_events
    WHERE notification_id > (SELECT position FROM here) ORDER BY notification_id LIMIT %(most)s
), undone AS MATERIALIZED (
    SELECT notification_id FROM ahead
    WHERE split_part(topic, '.', 1) = ANY(%(categories)s)
        AND originator_version > coalesce((
            SELECT version FROM subscription_versions seen
            WHERE seen.subscription = %(name)s AND seen.stream_id = originator_id), 0)
        AND (
            SELECT 1 FROM dead_letters parked
            WHERE parked.kind = 'event' AND parked.consumer = %(name)s AND parked.stream_id = originator_id
                AND parked.version = originator_version AND parked.status <> 'retried') IS NULL
    ORDER BY notification_id LIMIT 1
), sight AS MATERIALIZED (
    SELECT position, (SELECT notification_id FROM undone) AS undone, coalesce(
        (SELECT notification_id FROM undone) - 1, (SELECT max(notification_id) FROM ahead), position) AS possible
    FROM here
), moved AS (
    UPDATE subscription_positions moving SET position = possible, updated_at = now() FROM sight
    WHERE %(move)s AND moving.subscription = %(name)s AND moving.position < possible
    RETURNING possible, pg_notify(%(channel)s, %(name)s || ' ' || possible)
)
SELECT coalesce((SELECT possible FROM moved), position), undone, possible FROM sight
"""
_SEEN: Final = """
SELECT asked.stream_id, coalesce(seen.version, 0), EXISTS (
    SELECT FROM dead_letters parked
    WHERE parked.kind = 'event' AND parked.consumer = %(name)s AND parked.stream_id = asked.stream_id
        AND parked.status IN ('parked', 'waiting')), ARRAY(
    SELECT version FROM dead_letters discarded
    WHERE discarded.kind = 'event' AND discarded.consumer = %(name)s AND discarded.stream_id = asked.stream_id
        AND discarded.status = 'discarded')
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
ON CONFLICT (consumer, stream_id, version) WHERE kind = 'event' DO UPDATE SET
    error = excluded.error, attempts = excluded.attempts, status = excluded.status, parked_at = now()
WHERE dead_letters.status = 'retried'
"""


class Seen(NamedTuple):
    version: int
    """The newest version that was applied; 0 before the first."""
    parked: bool
    """An event of the stream waits for a person, so later ones must wait too."""
    never: frozenset[int] = frozenset()
    """Versions that a person has discarded."""


class Reach(NamedTuple):
    position: int
    """Everything up to here is applied or parked."""
    undone: int | None = None
    """Position of the first wanted event that is neither; None when there is none in sight."""
    possible: int = 0
    """Where the position can go."""

    @property
    def further(self) -> bool:
        return self.possible > self.position


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

    async def lock(self) -> None:
        """Wait for one's turn; the position stays."""
        await self._connection.execute(_LOCK, (self._subscription,))

    async def look(self, categories: Iterable[Category]) -> Reach:
        """See how far everything is dealt with, in whatever order it came."""
        return await self._reach(categories, move=False)

    async def advance(self, categories: Iterable[Category]) -> Reach:
        """Go that far, and tell those who wait for it once the transaction commits. Call `lock` first."""
        return await self._reach(categories, move=True)

    async def _reach(self, categories: Iterable[Category], *, move: bool) -> Reach:
        values = {
            "name": self._subscription,
            "categories": sorted(categories),
            "most": _SIGHT,
            "move": move,
            "channel": PROJECTED,
        }
        row = await (await self._connection.execute(_REACH, values)).fetchone()
        return Reach(*row) if row else Reach(0)

    async def seen(self, streams: Iterable[UUID]) -> dict[UUID, Seen]:
        values = {"name": self._subscription, "streams": list(streams)}
        rows = await (await self._connection.execute(_SEEN, values)).fetchall()
        return {stream_id: Seen(version, parked, frozenset(never)) for stream_id, version, parked, never in rows}

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
