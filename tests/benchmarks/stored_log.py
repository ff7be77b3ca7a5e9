"""A long log of real envelopes, made fast: lives of orders that differ only in their ids, with their chains."""

import re
from collections.abc import Iterable, Iterator
from itertools import count, islice
from typing import Final
from uuid import UUID

import psycopg

from infra.event_log import Stored
from schemas.recorded import GENESIS, Recorded, digest, encode
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
_PREV: Final = GENESIS.encode()
_COPY: Final = "COPY stored_events (originator_id, originator_version, topic, state, notification_id) FROM STDIN"


def lives(events: int) -> list[Stored]:
    """Give at least this many events, positions from 1; each life has streams and event ids of its own."""
    return list(living(events))


def living(events: int) -> Iterator[Stored]:
    """Give the same one by one, for logs that do not fit into memory."""
    templates = [_template(recorded) for recorded in LIFE]
    positions = count(1)
    for number in range(-(-events // len(LIFE))):
        heads: dict[str, bytes] = {}
        for recorded, (stream_id, state, uuids) in zip(LIFE, templates, strict=True):
            chained = (state % ((number,) * uuids)).replace(_PREV, heads.get(stream_id, _PREV), 1)
            heads[stream_id] = digest(chained).encode()
            yield Stored(next(positions), UUID(stream_id % number), recorded.version, recorded.event.type, chained)


def write_shop(dsn: str, events: int, *, open_orders: int = 500) -> int:
    """Store at least this many events of orders that live side by side, a block at a time; gives how many."""
    templates = [_template(recorded) for recorded in LIFE]
    block, position, number = open_orders * len(LIFE), 0, 0
    with psycopg.connect(dsn, autocommit=True) as writer, writer.cursor() as cursor:
        while position < events:
            with cursor.copy(_COPY) as rows:
                for recorded, (stream_id, state, uuids) in zip(LIFE, templates, strict=True):
                    for life in range(number, number + open_orders):
                        position += 1
                        stored = (
                            UUID(stream_id % life),
                            recorded.version,
                            recorded.event.type,
                            state % ((life,) * uuids),
                        )
                        rows.write_row((*stored, position))
            number += open_orders
        cursor.execute("SELECT setval('stored_events_notification_id_seq', max(notification_id)) FROM stored_events")
        cursor.execute("VACUUM ANALYZE stored_events")
    assert position % block == 0
    return position


def _template(recorded: Recorded) -> tuple[str, bytes, int]:
    """Give an event's stream id and its bytes with a place for a number in every id, and how many those are."""
    first = encode(recorded.model_copy(update={"prev": GENESIS}))
    state, uuids = _UUID.subn(rb"\1%012x", first.replace(b"%", b"%%"))
    return f"{recorded.stream_id}"[:24] + "%012x", state, uuids


def write(dsn: str, log: Iterable[Stored], *, per_commit: int = 500) -> None:
    """Store it as groups of commands do: this many events a transaction."""
    with psycopg.connect(dsn, autocommit=True) as writer, writer.cursor() as cursor:
        coming = iter(log)
        while some := list(islice(coming, per_commit)):
            with cursor.copy(_COPY) as rows:
                for stored in some:
                    rows.write_row((stored.stream_id, stored.version, stored.topic, stored.state, stored.position))
        cursor.execute("SELECT setval('stored_events_notification_id_seq', max(notification_id)) FROM stored_events")
        cursor.execute("VACUUM ANALYZE stored_events")
