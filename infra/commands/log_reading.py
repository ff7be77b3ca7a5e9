"""Reads the event log over one connection, for commands."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import psycopg

from infra.commands.failure import UNREACHABLE, Failure
from infra.commands.where import dsn_of
from infra.event_log import Stored
from infra.settings import Settings
from infra.signals import EVENTS

POLL_SECONDS: Final = 0.5
PAGE: Final = 500
_COLUMNS: Final = "SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events "
_AFTER: Final = _COLUMNS + "WHERE notification_id > %s AND topic LIKE %s ORDER BY notification_id LIMIT %s"
_NEWEST: Final = _COLUMNS + "WHERE topic LIKE %s ORDER BY notification_id DESC LIMIT %s"
_STREAM: Final = _COLUMNS + "WHERE originator_id = %s ORDER BY originator_version"
_HEAD: Final = "SELECT coalesce(max(notification_id), 0) FROM stored_events"

Connection = psycopg.Connection[tuple[Any, ...]]


@contextmanager
def reading(dsn: str | None, data: Path | None) -> Iterator[Connection]:
    """Give a read-only connection; raises Failure when there is no log to read."""
    found = dsn_of(dsn, data, Settings())
    try:
        with psycopg.connect(found, autocommit=True, options="-c default_transaction_read_only=on") as connection:
            yield connection
    except psycopg.OperationalError as lost:
        raise Failure("The event log cannot be reached. Is its platform running?", UNREACHABLE) from lost
    except psycopg.errors.UndefinedTable as missing:
        raise Failure("That database holds no event log. Run `orderflow migrate` for it first.") from missing


def newest(connection: Connection, limit: int, *, category: str | None, follow: bool) -> Iterator[Stored]:
    """Give the newest events, the oldest first, and then, with `follow`, whatever comes."""
    topics = f"{category or ''}%"
    row = connection.execute(_HEAD).fetchone()
    reached = int(row[0]) if row else 0
    for stored in reversed(_rows(connection, _NEWEST, (topics, limit))):
        reached = max(reached, stored.position)
        yield stored
    if not follow:
        return
    connection.execute(f"LISTEN {EVENTS}")
    while True:
        fresh = _rows(connection, _AFTER, (reached, topics, PAGE))
        for stored in fresh:
            reached = stored.position
            yield stored
        if not fresh:
            list(connection.notifies(timeout=POLL_SECONDS, stop_after=1))


def stream(connection: Connection, stream_id: UUID) -> list[Stored]:
    """Give a stream in version order; empty when it does not exist."""
    return _rows(connection, _STREAM, (stream_id,))


def _rows(connection: Connection, query: str, parameters: tuple[object, ...]) -> list[Stored]:
    with connection.cursor(binary=True) as cursor:
        cursor.execute(query.encode(), parameters)
        return [Stored(*row) for row in cursor.fetchall()]
