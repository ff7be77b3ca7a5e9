"""How far the topics are is read off them, however much lies on top that does not count."""

from threading import Event

import pytest

from infra.event_log import Stored
from infra.kafka.producer import Fenced, Interrupted, Record, TransactionalProducer
from infra.kafka.records import headers_of, key_of
from infra.kafka.tails import Tails, describe, read_tails
from infra.kafka.topics import create_missing, topics_of
from tests.infra.kafka.relaying import Place, a_place, an_order


@pytest.fixture
def place(kafka_servers: str) -> Place:
    place = a_place("postgresql://unused", "redis://unused", kafka_servers)
    create_missing(place.settings)
    return place


def events(count: int) -> list[Stored]:
    return [Stored(position, *row) for position, row in enumerate(an_order(count), start=1)]


def records(place: Place, stored: list[Stored], *, mark: list[tuple[str, bytes]] | None = None) -> list[Record]:
    return [
        Record(place.topic("order"), each.state, key_of(each), [*headers_of(each), *(mark or [])]) for each in stored
    ]


def a_producer(place: Place) -> TransactionalProducer:
    producer = TransactionalProducer(
        place.settings, f"{place.settings.topic_prefix}.relay", most_bytes=100_000, give_up=Event()
    )
    producer.open()
    return producer


def publish(producer: TransactionalProducer, records: list[Record]) -> None:
    producer.send(records)
    producer.commit()


def tails(place: Place) -> Tails:
    return read_tails(place.settings, describe(place.settings, topics_of(place.settings).values()), Event())


def newest(place: Place) -> int:
    return max((stored.position for stored in tails(place).newest[place.topic("order")]), default=0)


def test_empty_topics_have_no_newest_event(place: Place) -> None:
    found = tails(place)
    assert (dict(found.newest), found.emptied) == ({}, set())


def test_the_newest_committed_event_is_found(place: Place) -> None:
    producer = a_producer(place)
    publish(producer, records(place, events(5)))
    producer.close()
    assert newest(place) == 5


def test_what_was_not_committed_does_not_count(place: Place) -> None:
    first, *rest = events(300)
    old = a_producer(place)
    publish(old, records(place, [first]))

    def dies() -> None:
        raise Interrupted

    old.expect({}, dies)
    with pytest.raises(Interrupted):
        publish(old, records(place, rest))
    a_producer(place).close()
    old.close()
    assert newest(place) == 1


def test_repaired_events_do_not_count_however_many(place: Place) -> None:
    producer = a_producer(place)
    publish(producer, records(place, events(2)))
    publish(producer, records(place, events(200), mark=[("orderflow-repaired", b"1")]))
    producer.close()
    assert newest(place) == 2


def test_whoever_opens_a_producer_shuts_the_one_before_out(place: Place) -> None:
    old = a_producer(place)
    publish(old, records(place, events(1)))
    new = a_producer(place)
    with pytest.raises(Fenced):
        publish(old, records(place, events(2)[1:]))
    publish(new, records(place, events(3)[2:]))
    old.close()
    new.close()
    assert sorted(record.position for record in place.found()) == [1, 3]
