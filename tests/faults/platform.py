"""A running platform as the fault tests reach it: its APIs, and what lies behind them."""

from dataclasses import dataclass

import psycopg

from infra.event_log import Stored
from infra.local.ready import Ready
from tests.faults.evidence import Published

_LOG = (
    "SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events"
    " WHERE notification_id > %s ORDER BY notification_id"
)


@dataclass(frozen=True, slots=True)
class Platform:
    ready: Ready

    @property
    def dsn(self) -> str:
        return self.ready.postgres_dsn

    def topics(self) -> list[Published] | None:
        """Read every record of every topic; None where events do not go through topics."""
        return None

    def queues(self) -> dict[str, int]:
        """Give how many messages each queue holds, delivered but unacknowledged ones included."""
        return {}


def read_log(dsn: str, *, after: int = 0) -> list[Stored]:
    with psycopg.connect(dsn) as connection, connection.cursor(binary=True) as cursor:
        return [Stored(*row) for row in cursor.execute(_LOG, (after,)).fetchall()]
