"""A running platform as the fault tests reach it: its APIs, and what lies behind them."""

from dataclasses import dataclass

import psycopg

from infra.event_log import Stored
from infra.local.ready import Ready
from tests.faults.evidence import Published

PREFIX = "orderflow"
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
        if self.ready.kafka_servers is None:
            return None
        from tests.faults.brokers import read_topics  # noqa: PLC0415  # the embedded profile does without it

        return read_topics(self.ready.kafka_servers, PREFIX)

    def queues(self) -> dict[str, int]:
        """Give how many messages wait in each queue; empty where commands do not go through queues."""
        if self.ready.rabbitmq_url is None:
            return {}
        from tests.faults.brokers import queue_depths  # noqa: PLC0415  # the same

        return queue_depths(self.ready.rabbitmq_url)


def read_log(dsn: str, *, after: int = 0) -> list[Stored]:
    with psycopg.connect(dsn) as connection, connection.cursor(binary=True) as cursor:
        return [Stored(*row) for row in cursor.execute(_LOG, (after,)).fetchall()]
