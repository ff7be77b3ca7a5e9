"""A long log of real envelopes, made fast: lives of orders that differ only in their ids."""

import re
from collections.abc import Sequence
from itertools import count
from typing import Final
from uuid import UUID

import psycopg

from infra.event_log import Stored
from schemas.recorded import Recorded, encode
from tests import examples

LIFE: Final = examples.history(
    examples.listed(),
    examples.received(),
    examples.placed(),
    examples.reserved(),
    examples.requested(),
    examples.authorised(),
    examples.confirmed(),
    examples.shipped(),
    examples.dispatched(),
    examples.captured(),
    examples.delivered(),
    examples.completed(),
)
"""Four streams, one of each category."""

_UUID: Final = re.compile(rb"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-)[0-9a-f]{12}")
_COPY: Final = "COPY stored_events (originator_id, originator_version, topic, state, notification_id) FROM STDIN"


def lives(events: int) -> list[Stored]:
    """Give at least this many events, positions from 1; each life has streams and event ids of its own."""
    templates = [_template(recorded) for recorded in LIFE]
    positions = count(1)
    return [
        Stored(next(positions), UUID(stream_id % number), recorded.version, recorded.event.type, state % ids)
        for number in range(-(-events // len(LIFE)))
        for recorded, (stream_id, state, uuids) in zip(LIFE, templates, strict=True)
        for ids in ((number,) * uuids,)
    ]


def _template(recorded: Recorded) -> tuple[str, bytes, int]:
    """Give an event's stream id and its bytes with a place for a number in every id, and how many those are."""
    state, uuids = _UUID.subn(rb"\1%012x", encode(recorded).replace(b"%", b"%%"))
    return f"{recorded.stream_id}"[:24] + "%012x", state, uuids


def write(dsn: str, log: Sequence[Stored], *, per_commit: int = 500) -> None:
    """Store it as groups of commands do: this many events a transaction."""
    with psycopg.connect(dsn, autocommit=True) as writer, writer.cursor() as cursor:
        for start in range(0, len(log), per_commit):
            with cursor.copy(_COPY) as rows:
                for stored in log[start : start + per_commit]:
                    rows.write_row((stored.stream_id, stored.version, stored.topic, stored.state, stored.position))
        cursor.execute("SELECT setval('stored_events_notification_id_seq', max(notification_id)) FROM stored_events")
        cursor.execute("VACUUM ANALYZE stored_events")
