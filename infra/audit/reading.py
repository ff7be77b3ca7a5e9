"""Reads from the database what an audit needs, as one snapshot."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, cast

import psycopg

from infra.audit.chain import Head, Row
from infra.audit.findings import Findings
from infra.audit.merkle import WIDTH
from infra.audit.signed import Leaves
from infra.audit.verify import Kept
from schemas.recorded import digest

Connection = psycopg.Connection[tuple[Any, ...]]

START: Final = -(2**63)
"""Before everything, also before what has no business there."""
_PAGE: Final = 5_000
_AFTER: Final = """
SELECT notification_id, uuid_send(originator_id), originator_version, topic, state FROM stored_events
WHERE notification_id > %s ORDER BY notification_id
"""
_COUNT: Final = "SELECT count(*) FROM stored_events WHERE notification_id > %s"
_UP_TO: Final = "SELECT count(*) FROM stored_events WHERE notification_id <= %s"
_KEPT: Final = "SELECT size, position, note, frontier FROM log_checkpoints ORDER BY size"
_LEAVES: Final = "SELECT positions, leaves FROM log_checkpoints WHERE size = %s"
_HEADS: Final = """
SELECT uuid_send(e.originator_id), e.originator_version, e.state
FROM (SELECT originator_id, min(originator_version) - 1 AS version FROM stored_events
      WHERE notification_id > %s GROUP BY originator_id) AS first
JOIN stored_events e ON e.originator_id = first.originator_id AND e.originator_version = first.version
"""
_UNANSWERED: Final = """
SELECT r.position FROM idempotency_records r
WHERE NOT EXISTS (SELECT FROM stored_events s WHERE s.notification_id = r.position) ORDER BY r.position LIMIT 100
"""
_READ_TO: Final = """
SELECT name, position FROM (
    SELECT 'the subscription ' || subscription AS name, position FROM subscription_positions
    UNION ALL SELECT 'the relay ' || relay, position FROM relay_positions
) AS readers WHERE position > (SELECT coalesce(max(notification_id), 0) FROM stored_events) ORDER BY position, name
"""
_READ_OF: Final = """
SELECT seen.stream_id, seen.version, there.version, there.position
FROM (SELECT stream_id, max(version) AS version FROM subscription_versions GROUP BY stream_id) AS seen
CROSS JOIN LATERAL (
    SELECT coalesce(max(originator_version), 0) AS version, coalesce(max(notification_id), 0) AS position
    FROM stored_events WHERE originator_id = seen.stream_id
) AS there
WHERE seen.version > there.version ORDER BY there.position LIMIT 100
"""


def snapshot(connection: Connection) -> None:
    """Begin a transaction in which all that is read is of one moment."""
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def count_after(connection: Connection, position: int) -> int:
    return _number(connection, _COUNT, position)


def count_up_to(connection: Connection, position: int) -> int:
    return _number(connection, _UP_TO, position)


def _number(connection: Connection, query: str, *values: int) -> int:
    row = connection.execute(query.encode(), values).fetchone()
    return int(row[0]) if row else 0


def pages(connection: Connection, after: int) -> Iterator[list[Row]]:
    """Give what comes after a position, some thousand events at a time; the next are fetched meanwhile."""
    with connection.cursor("events", binary=True) as cursor, ThreadPoolExecutor(1) as reader:
        cursor.execute(_AFTER.encode(), (after,))
        coming = reader.submit(cursor.fetchmany, _PAGE)
        while rows := coming.result():
            coming = reader.submit(cursor.fetchmany, _PAGE)
            yield cast("list[Row]", rows)  # plain tuples of the same shape, because a million of them are made


def kept(connection: Connection) -> list[Kept]:
    with connection.cursor(binary=True) as cursor:
        return [Kept(*row) for row in cursor.execute(_KEPT).fetchall()]


def leaves_of(connection: Connection, size: int) -> Leaves:
    with connection.cursor(binary=True) as cursor:
        row = cursor.execute(_LEAVES, (size,)).fetchone()
    if row is None:
        return Leaves((), b"")
    runs = [range(each.lower or 0, each.upper or 0) for each in row[0]]
    fits = sum(map(len, runs)) * WIDTH == len(row[1])  # else somebody wrote what would fill the memory
    return Leaves(runs if fits else (), row[1])


def heads_before(connection: Connection, position: int) -> dict[bytes, Head]:
    """Give, of each stream that goes on after a position, the event before."""
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(_HEADS, (position,)).fetchall()
    return {stream_id: Head(version, bytes.fromhex(digest(state or b""))) for stream_id, version, state in rows}


def look_at_head(connection: Connection, findings: Findings) -> None:
    """Ask those who have seen the log: commands that were answered, and readers with what they have applied."""
    for (position,) in connection.execute(_UNANSWERED).fetchall():
        findings.add(position, "truncated", "A command was answered with this position, and no event is there.")
    for name, position in connection.execute(_READ_TO).fetchall():
        findings.add(position, "truncated", f"It was read by {name}, and the log ends before it.")
    for stream_id, seen, there, position in connection.execute(_READ_OF).fetchall():
        says = f"Stream {stream_id} was read up to version {seen}, and ends here with version {there}."
        findings.add(position, "truncated", says)
