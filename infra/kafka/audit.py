"""Compares the log with its topics, event by event, in memory of some 40 bytes an event."""

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from threading import Event
from typing import Any, Final, Literal, Self

import psycopg
from confluent_kafka import Consumer, KafkaException, Message

from infra.event_log import COLUMNS, Stored
from infra.kafka.audience import DOWNCAST, EVERYBODY, Audience
from infra.kafka.poison import NOT_PUBLISHED
from infra.kafka.producer import Interrupted
from infra.kafka.records import REPAIRED, BadRecord, Headers, stored_of
from infra.kafka.tails import bounds_of, committed, describe, headers_in, place_of, reading
from infra.kafka.topics import reason
from infra.settings import Settings

Fault = Literal["missing", "duplicated", "out_of_order", "foreign"]
Connection = psycopg.Connection[tuple[Any, ...]]
Tell = Callable[[int], None]
"""Is told how many events or records were looked at since."""

_EXAMPLES: Final = 20
_PAGE: Final = 10_000
_HASH_BYTES: Final = 16
_MOST_SEEN: Final = 255
_EVENTS: Final = """
SELECT event.notification_id, coalesce(before.notification_id, 0),
    substr(sha256(uuid_send(event.originator_id) || int8send(event.originator_version)
        || convert_to(event.topic, 'UTF8') || event.state), 1, 16)
FROM stored_events event
LEFT JOIN LATERAL (
    SELECT notification_id FROM stored_events earlier
    WHERE earlier.originator_id = event.originator_id AND earlier.originator_version = event.originator_version - 1
    OFFSET 0
) before ON true
WHERE event.notification_id > %(after)s AND event.notification_id <= %(last)s
    AND (%(categories)s::text[] IS NULL OR split_part(event.topic, '.', 1) = ANY(%(categories)s))
ORDER BY event.notification_id LIMIT %(most)s
"""
_AT: Final = COLUMNS + "WHERE notification_id = %s"


@dataclass(slots=True)
class Findings:
    """What does not agree; of each fault, some examples."""

    events: int = 0
    records: int = 0
    parked: int = 0
    """Events that a person has to decide about, or has discarded: rightly not on a topic."""
    repaired: int = 0
    counts: Counter[Fault] = field(default_factory=Counter)
    examples: defaultdict[Fault, list[str]] = field(default_factory=lambda: defaultdict(list))
    missing: "array[int]" = field(default_factory=lambda: array("q"))
    """Positions, in commit order."""

    def add(self, fault: Fault, example: str) -> None:
        self.counts[fault] += 1
        if len(self.examples[fault]) < _EXAMPLES:
            self.examples[fault].append(example)

    @property
    def clean(self) -> bool:
        return not self.counts


class Expected:
    """What the log holds in a range of positions, and how often each event was seen on a topic."""

    def __init__(self, first: int, last: int, parked: frozenset[int]) -> None:
        self.range = range(first, last + 1)
        self.parked = parked
        self._positions = array("q")
        self._before = array("q")
        """Position of the stream's event before; 0 for the first."""
        self._hashes = bytearray()
        self._seen = bytearray()
        self._repaired = bytearray()
        """1 where the first record of an event was put there by a repair."""
        self._early = array("q")
        """Events that were seen before the one before them."""

    @classmethod
    def read(cls, connection: Connection, first: int, last: int, audience: Audience, tell: Tell) -> Self:
        letters = {"consumer": audience.letters}
        parked = frozenset(position for (position,) in connection.execute(NOT_PUBLISHED, letters).fetchall())
        expected = cls(first, last, parked)
        told = None if audience.consumer is None else list(audience.categories)
        asked = {"after": first - 1, "last": last, "categories": told, "most": _PAGE}
        while rows := connection.execute(_EVENTS, asked, binary=True).fetchall():
            asked["after"] = rows[-1][0]
            for position, before, digest in rows:
                expected.add(position, before, digest)
            tell(len(rows))
        return expected

    def __len__(self) -> int:
        return len(self._positions)

    def add(self, position: int, before: int, digest: bytes) -> None:
        self._positions.append(position)
        self._before.append(before)
        self._hashes += digest
        self._seen.append(0)
        self._repaired.append(0)

    def see(self, stored: Stored, *, repaired: bool) -> Fault | None:
        """Note an event of the range on a topic; says what is wrong, if it can be said already."""
        at = self._index(stored.position)
        if at is None or digest_of(stored) != self._hashes[at * _HASH_BYTES : (at + 1) * _HASH_BYTES]:
            return "foreign"
        seen, self._seen[at] = self._seen[at], min(self._seen[at] + 1, _MOST_SEEN)
        if seen:
            return "duplicated"
        self._repaired[at] = repaired
        before = self._index(self._before[at])
        if not repaired and before is not None and not self._seen[before]:
            self._early.append(at)
        return None

    def missing(self) -> Iterator[int]:
        at = self._seen.find(0)
        while at >= 0:
            if self._positions[at] not in self.parked:
                yield self._positions[at]
            at = self._seen.find(0, at + 1)

    def out_of_order(self) -> Iterator[int]:
        for at in self._early:
            before = self._index(self._before[at])
            if before is not None and self._seen[before] and not self._repaired[before]:
                yield self._positions[at]

    def _index(self, position: int) -> int | None:
        at = bisect_left(self._positions, position)
        return at if at < len(self._positions) and self._positions[at] == position else None


def digest_of(stored: Stored) -> bytes:
    """Give what the database computes for the same row."""
    version = stored.version.to_bytes(8, "big", signed=True)
    return sha256(stored.stream_id.bytes + version + stored.topic.encode() + stored.state).digest()[:_HASH_BYTES]


def audit(  # noqa: PLR0913  # two of them tell how far it is
    settings: Settings,
    connection: Connection,
    positions: range,
    audience: Audience = EVERYBODY,
    *,
    log: Tell,
    topics: Tell,
) -> Findings:
    """Compare what the log holds at these positions with the topics; raises Interrupted and KafkaUnreachable."""
    expected = Expected.read(connection, positions.start, positions.stop - 1, audience, log)
    findings = Findings(events=len(expected))
    names = {topic: category for category, topic in audience.topics(settings.topic_prefix).items()}
    for message in _records(settings, names, topics):
        findings.records += 1
        _judge(expected, findings, message, names, partial(_as_stored, connection, audience))
    for position in expected.missing():
        findings.missing.append(position)
        findings.add("missing", f"position {position}")
    for position in expected.out_of_order():
        findings.add("out_of_order", f"position {position}")
    findings.parked = sum(position in expected.range for position in expected.parked)
    return findings


def _as_stored(connection: Connection, audience: Audience, found: Stored, headers: Headers) -> Stored:
    """Give the event of the log that a record tells in an older form, if that is what it tells; raises BadRecord."""
    if DOWNCAST not in dict(headers):
        if found.topic in audience.steps:
            raise BadRecord(f"as {found.topic}, which its reader does not know")
        return found
    row = connection.execute(_AT, (found.position,), binary=True).fetchone()
    stored = Stored(*row) if row else found
    return stored if audience.cast(stored) == found else found


def _judge(
    expected: Expected,
    findings: Findings,
    message: Message,
    names: Mapping[str, str],
    as_stored: Callable[[Stored, Headers], Stored],
) -> None:
    topic, partition = place_of(message)
    where = f"{topic}, partition {partition}, offset {message.offset()}"
    headers = headers_in(message)
    try:
        stored = as_stored(stored_of(message.key(), message.value(), headers), headers)
    except BadRecord as bad:
        findings.add("foreign", f"{where}: {bad}")
        return
    if stored.position not in expected.range:
        return
    if stored.category != names[topic]:
        findings.add("foreign", f"{where}: of another category")
    elif fault := expected.see(stored, repaired=REPAIRED in dict(headers)):
        findings.add(fault, f"position {stored.position}: {where}")


def _records(settings: Settings, topics: Iterable[str], tell: Tell) -> Iterator[Message]:
    described = describe(settings, topics)
    consumer = Consumer(reading(settings))
    try:
        bounds = bounds_of(consumer, described)
        starts = {place: low for place, (low, high) in bounds.items() if high > low}
        ends = {place: high for place, (_, high) in bounds.items()}
        for number, message in enumerate(committed(consumer, starts, ends, Event()), start=1):
            yield message
            if number % _PAGE == 0:
                tell(_PAGE)
    except KafkaException as error:
        raise Interrupted(reason(error)) from error
    finally:
        consumer.close()
