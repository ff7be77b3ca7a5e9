"""Where the time of an order goes, as the log tells it afterwards: each event says when it was decided."""

import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise

import psycopg

MILESTONES = (
    "order.placed.v2",
    "stock.reserved.v1",
    "payment.requested.v1",
    "payment.authorised.v1",
    "order.confirmed.v1",
)
_READ = "SELECT topic, state FROM stored_events WHERE notification_id > %s AND topic = ANY(%s) ORDER BY notification_id"


def head(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT coalesce(max(notification_id), 0) FROM stored_events").fetchone()
    return int(row[0]) if row else 0


def transactions(dsn: str) -> int:
    """Give how many the database has committed; a process reports its own up to a second late."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    return int(row[0]) if row else 0


def stages(dsn: str, after: int) -> Mapping[str, list[float]]:
    """Give seconds by stage, for every order whose events are all after a position."""
    told: defaultdict[str, dict[str, float]] = defaultdict(dict)
    with psycopg.connect(dsn) as connection:
        for topic, state in connection.execute(_READ, (after, list(MILESTONES))):
            fact = json.loads(state)
            order_id = fact["event"].get("order_id", fact["stream_id"])
            told[order_id][topic] = datetime.fromisoformat(fact["occurred_at"]).timestamp()
    took: defaultdict[str, list[float]] = defaultdict(list)
    for moments in told.values():
        if len(moments) == len(MILESTONES):
            for one, other in pairwise(MILESTONES):
                took[f"{one.removesuffix('.v1')} to {other.removesuffix('.v1')}"].append(moments[other] - moments[one])
    return took
