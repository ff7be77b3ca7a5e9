"""Records of every size that the topics take are taken."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

import pytest

from infra.event_log import Stored
from infra.kafka.pages import Page, Press
from infra.kafka.poison import Aside
from infra.kafka.producer import Record, TransactionalProducer
from infra.kafka.tails import describe
from infra.kafka.topics import create_missing, topics_of
from tests.infra.kafka.relaying import Place, a_place, an_order

LIMIT = 100_000


@pytest.fixture
def place(kafka_servers: str) -> Place:
    return a_place("postgresql://unused", "redis://unused", kafka_servers, partitions=1)


@contextmanager
def opened(place: Place) -> Iterator[TransactionalProducer]:
    most_bytes = describe(place.settings, topics_of(place.settings).values()).most_bytes
    name = f"{place.settings.topic_prefix}.relay"
    producer = TransactionalProducer(place.settings, name, most_bytes=most_bytes, give_up=Event())
    try:
        producer.open()
        yield producer
    finally:
        producer.close()


def publish(place: Place, records: list[Record]) -> None:
    with opened(place) as producer:
        producer.send(records)
        producer.commit()


def padded(stored: Stored, size: int) -> Stored:
    """Give an event with so many bytes that nothing can make it smaller."""
    rest = size - len(stored.state) - len(b'{"padding":""')
    noise = os.urandom(rest).translate(bytes(0x23 + byte % 0x39 for byte in range(256)))
    state = b'{"padding":"' + noise + b'",' + stored.state[1:]
    return Stored(stored.position, stored.stream_id, stored.version, stored.topic, state)


@pytest.mark.parametrize("less", [0, 1])
def test_a_record_as_large_as_its_topic_takes_is_taken(place: Place, less: int) -> None:
    create_missing(place.settings, config={"max.message.bytes": str(LIMIT)})
    topics = topics_of(place.settings)
    most_bytes = describe(place.settings, topics.values()).most_bytes
    rows = [Stored(position, *row) for position, row in enumerate(an_order(3), start=1)]
    rows = [padded(row, most_bytes - less) for row in rows]
    page = Page(3)
    Press(topics, most_bytes).fill(page, rows, Aside())
    assert page.poison == []
    publish(place, page.records)
    assert [len(record.value) for record in place.found()] == [most_bytes - less] * 3


def test_one_byte_more_is_told_before_it_is_tried() -> None:
    row = Stored(1, *an_order(1)[0])
    page = Page(1)
    Press(topics_of(a_place("x", "x", "x").settings), len(row.state) - 1).fill(page, [row], Aside())
    assert [stored.position for stored, _ in page.poison] == [1]


def test_more_than_the_queue_holds_waits_for_room(place: Place) -> None:
    create_missing(place.settings)
    value = b"x" * 900_000
    publish(place, [Record(place.topic("order"), value, b"key", []) for _ in range(90)])


def test_what_is_too_much_for_one_transaction_is_committed_on_the_way(place: Place) -> None:
    create_missing(place.settings)
    records = [Record(place.topic("order"), b"x" * 900_000, b"key", []) for _ in range(40)]
    with opened(place) as producer:
        producer.send(records)
    found = place.found()
    assert 0 < len(found) < len(records)
    publish(place, records[len(found) :])
    assert len(place.found()) == len(records)
