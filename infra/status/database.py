"""Lags and depths, as the tables of the platform tell them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import psycopg

from infra.status.model import DriftStatus, Lag, OutboxStatus, ParkedStatus

_SECONDS: Final = 5
_HEAD: Final = "SELECT coalesce(max(notification_id), 0) FROM stored_events"
_NEXT: Final = "SELECT state FROM stored_events WHERE notification_id > %s ORDER BY notification_id LIMIT 1"
_RELAY: Final = "SELECT position FROM relay_positions WHERE relay = 'kafka'"
_SUBSCRIPTIONS: Final = "SELECT subscription, position FROM subscription_positions ORDER BY subscription"
_OUTBOX: Final = """
SELECT queue, count(*), greatest(extract(epoch FROM now() - min(available_at)), 0)::float
FROM outbox GROUP BY queue ORDER BY queue
"""
_PARKED: Final = """
SELECT consumer, count(*) FILTER (WHERE status = 'parked'), count(*) FILTER (WHERE status = 'waiting')
FROM dead_letters WHERE status IN ('parked', 'waiting') GROUP BY consumer ORDER BY consumer
"""
_DRIFT: Final = "SELECT projection, looked_at, rows, differing FROM drift_looks ORDER BY projection"

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Figures:
    head: int
    relay: Lag | None
    subscriptions: tuple[Lag, ...]
    outbox: tuple[OutboxStatus, ...]
    parked: tuple[ParkedStatus, ...]
    drift: tuple[DriftStatus, ...]


async def figures(dsn: str) -> Figures:
    """Ask once; raises psycopg.OperationalError when the database does not answer in time."""
    options = f"-c statement_timeout={_SECONDS * 1_000} -c default_transaction_read_only=on"
    connecting = psycopg.AsyncConnection.connect(dsn, autocommit=True, connect_timeout=_SECONDS, options=options)
    async with await connecting as connection:
        readers = await _rows(connection, _SUBSCRIPTIONS)
        relays = await _rows(connection, _RELAY)
        ((head,),) = await _rows(connection, _HEAD)
        return Figures(
            head=head,
            relay=await _lag(connection, "relay", relays[0][0], head) if relays else None,
            subscriptions=tuple([await _lag(connection, name, position, head) for name, position in readers]),
            outbox=tuple(
                OutboxStatus(queue=queue, waiting=waiting, oldest_seconds=round(age, 1))
                for queue, waiting, age in await _rows(connection, _OUTBOX)
            ),
            parked=tuple(
                ParkedStatus(consumer=consumer, parked=parked, waiting=waiting)
                for consumer, parked, waiting in await _rows(connection, _PARKED)
            ),
            drift=tuple(
                DriftStatus(projection=projection, looked_at=looked_at, rows=rows, differing=differing)
                for projection, looked_at, rows, differing in await _rows(connection, _DRIFT)
            ),
        )


async def _lag(connection: Connection, reader: str, position: int, head: int) -> Lag:
    following = await _rows(connection, _NEXT, position) if position < head else []
    seconds = _age(bytes(following[0][0])) if following else 0.0
    return Lag(reader=reader, position=position, events=max(head - position, 0), seconds=seconds)


def _age(state: bytes) -> float:
    try:
        occurred_at = datetime.fromisoformat(json.loads(state)["occurred_at"])
    except (ValueError, KeyError, TypeError):  # a row that nobody can read has no age
        return 0.0
    return round(max((datetime.now(UTC) - occurred_at).total_seconds(), 0.0), 1)


async def _rows(connection: Connection, query: str, *values: object) -> Sequence[tuple[Any, ...]]:
    return await (await connection.execute(query.encode(), values)).fetchall()
