"""Who runs the relay, and how far it is: one row, held by whoever renews it in time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from schemas.base import Category

RELAY: Final = "kafka"
LEASE_SECONDS: Final = 5.0

_ACQUIRE: Final = """
INSERT INTO relay_positions AS held (relay, owner, lease_until)
VALUES (%(relay)s, %(owner)s, now() + %(seconds)s * interval '1 second')
ON CONFLICT (relay) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until
    WHERE held.owner = excluded.owner OR held.lease_until < now()
RETURNING position, published
"""
_KEEP: Final = """
UPDATE relay_positions SET position = greatest(position, %(position)s), published = %(published)s,
    lease_until = now() + %(seconds)s * interval '1 second',
    updated_at = CASE WHEN position < %(position)s THEN now() ELSE updated_at END
WHERE relay = %(relay)s AND owner = %(owner)s AND lease_until > now()
"""
_RELEASE: Final = "UPDATE relay_positions SET lease_until = now() WHERE relay = %s AND owner = %s"
_POSITION: Final = "SELECT position FROM relay_positions WHERE relay = %s"


class LeaseLost(Exception):  # noqa: N818 - a state of the world
    """Another process may be the relay by now."""


@dataclass(frozen=True, slots=True)
class Reached:
    position: int = 0
    """Every event up to here is on its topic, or parked."""
    published: Mapping[Category, int] = field(default_factory=dict)
    """Position of the newest event of a category that is on its topic."""


async def relay_position(connection: AsyncConnection[Any]) -> int:
    """Give the position up to which events are on Kafka, or parked; a little behind the truth, never ahead."""
    row = await (await connection.execute(_POSITION, (RELAY,))).fetchone()
    return int(row[0]) if row else 0


class Lease:
    """Ends by itself `seconds` after the last `keep`. It only spares work: what fences is Kafka's transactional id."""

    def __init__(
        self, pool: AsyncConnectionPool, owner: str, *, seconds: float = LEASE_SECONDS, relay: str = RELAY
    ) -> None:
        self._pool = pool
        self._values = {"relay": relay, "owner": owner, "seconds": seconds}
        self.seconds = seconds

    async def acquire(self) -> Reached | None:
        """Take the lease when it is free or ours; gives what was stored, or None when another process holds it."""
        async with self._pool.connection() as connection:
            row = await (await connection.execute(_ACQUIRE, self._values)).fetchone()
        return Reached(*row) if row else None

    async def keep(self, reached: Reached) -> None:
        """Renew the lease and store how far the relay is; raises LeaseLost."""
        values = {**self._values, "position": reached.position, "published": Jsonb(dict(reached.published))}
        async with self._pool.connection() as connection:
            kept = await connection.execute(_KEEP, values)
        if kept.rowcount == 0:
            raise LeaseLost("the lease ended before it was renewed")

    async def release(self) -> None:
        """Let another process take over at once."""
        async with self._pool.connection() as connection:
            await connection.execute(_RELEASE, (self._values["relay"], self._values["owner"]))
