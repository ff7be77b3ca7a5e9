"""Every event of the log gets to its topic once, in the order of its stream, whatever happens to the relay."""

import asyncio
from uuid import uuid4

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from infra.kafka.topics import create_missing
from tests.infra.kafka.relaying import Place, a_delivery, a_place, a_poison, an_order, assert_published
from tests.waiting import eventually


@pytest.fixture
def place(database: str, redis_url: str, kafka_servers: str) -> Place:
    return a_place(database, redis_url, kafka_servers)


async def test_what_is_in_the_log_gets_to_its_topic_once(place: Place) -> None:
    rows = [row for _ in range(500) for row in an_order()]
    head = place.append([*rows, *a_delivery()])[-1].position
    await place.relayed(head)
    assert_published(place)


async def test_what_is_appended_meanwhile_follows(place: Place) -> None:
    async with place.relay():
        for _ in range(5):
            await place.caught_up(place.append([*an_order(), *a_delivery()])[-1].position)
    assert_published(place)


async def test_a_relay_that_starts_again_repeats_nothing(place: Place) -> None:
    await place.relayed(place.append(an_order())[-1].position)
    await place.relayed(place.append(an_order())[-1].position)
    assert_published(place)


async def test_what_was_published_before_a_crash_is_seen_on_the_topics(place: Place) -> None:
    await place.relayed(place.append([*an_order(), *a_delivery()])[-1].position)
    place.execute("UPDATE relay_positions SET position = 0, published = '{}'")
    await place.relayed(place.append(an_order())[-1].position)
    assert_published(place)


async def test_two_relays_publish_each_event_once(place: Place) -> None:
    async with place.relay(), place.relay():
        heads = [place.append(an_order())[-1].position for _ in range(20)]
        await place.caught_up(heads[-1])
    assert_published(place)


async def test_a_poisonous_event_holds_back_its_stream_only(place: Place) -> None:
    stream = an_order(3)
    poison = place.append([stream[0], a_poison(stream[0][0], 2), stream[2]])
    head = place.append(an_order())[-1].position
    await place.relayed(head)
    assert_published(place, but=[stored.position for stored in poison[1:]])
    letters = place.query("SELECT position, status FROM dead_letters WHERE consumer = 'relay' ORDER BY position")
    assert letters == [(poison[1].position, "parked"), (poison[2].position, "waiting")]


async def test_later_events_of_a_parked_stream_wait_too(place: Place) -> None:
    stream = an_order(3)
    parked = place.append([a_poison(stream[0][0], 1), stream[1]])
    await place.relayed(parked[-1].position)
    later = place.append([stream[2]])
    await place.relayed(later[-1].position)
    assert place.found() == []
    assert place.query("SELECT status FROM dead_letters ORDER BY position") == [("parked",), ("waiting",), ("waiting",)]


async def test_what_a_person_releases_is_published_in_order(place: Place) -> None:
    stream = an_order(4)
    stored = place.append([stream[0], a_poison(stream[0][0], 2), stream[2]])
    async with place.relay():
        await place.caught_up(stored[-1].position)
        place.replace_state(stored[1].position, stream[1][3])
        place.execute("UPDATE dead_letters SET status = 'retried'")
        head = place.append([stream[3]])[-1].position

        async def published() -> bool:
            return len(await asyncio.to_thread(place.found)) == 4

        await eventually(published)
        await place.caught_up(head)
    found = place.found()
    assert [record.position for record in found] == [*(each.position for each in stored), head]
    repaired = ["orderflow-repaired" in record.headers for record in found]
    assert repaired[:3] == [False, True, True]


async def test_what_is_released_and_fails_again_is_parked_again(place: Place) -> None:
    stream = an_order(2)
    stored = place.append([a_poison(stream[0][0], 1), stream[1]])
    async with place.relay():
        await place.caught_up(stored[-1].position)
        place.execute("UPDATE dead_letters SET status = 'retried'")

        async def parked() -> bool:
            rows = await asyncio.to_thread(place.query, "SELECT status, attempts FROM dead_letters ORDER BY position")
            return rows == [("parked", 2), ("waiting", 0)]

        await eventually(parked)
    assert place.found() == []


async def test_a_discarded_event_is_never_published(place: Place) -> None:
    stream = an_order(3)
    stored = place.append([a_poison(stream[0][0], 1), stream[1]])
    await place.relayed(stored[-1].position)
    place.execute("UPDATE dead_letters SET status = CASE status WHEN 'parked' THEN 'discarded' ELSE 'retried' END")
    await place.relayed(place.append([stream[2]])[-1].position)
    assert [record.position for record in place.found()] == [2, 3]


async def test_an_event_that_is_too_large_is_parked(place: Place) -> None:
    create_missing(place.settings, config={"max.message.bytes": "2500"})
    large = (uuid4(), 1, "order.placed.v1", an_order(1)[0][3][:-1] + b" " * 1_000 + b"}")
    parked = place.append([large])
    head = place.append(an_order())[-1].position
    await place.relayed(head)
    assert_published(place, but=[parked[0].position])
    assert place.query("SELECT status FROM dead_letters") == [("parked",)]


async def test_a_topic_made_anew_is_filled_from_the_log(place: Place) -> None:
    await place.relayed(place.append([*an_order(), *a_delivery()])[-1].position)
    delete_topic(place, "order")
    await place.relayed(place.append(an_order())[-1].position)
    assert_published(place)


async def test_a_topic_made_anew_while_the_relay_runs_is_filled_from_the_log(
    database: str, redis_url: str, kafka_servers: str
) -> None:
    place = a_place(database, redis_url, kafka_servers, partitions=12)  # so that the second order meets an empty one
    async with place.relay():
        await place.caught_up(place.append([*an_order(), *a_delivery()])[-1].position)
        delete_topic(place, "order")
        create_missing(place.settings)
        await place.caught_up(place.append(an_order())[-1].position)

        async def complete() -> bool:
            return len(await asyncio.to_thread(place.found)) == 7

        await eventually(complete)
    assert_published(place)


async def test_a_topic_emptied_by_its_retention_is_not_filled_again(place: Place) -> None:
    await place.relayed(place.append([*an_order(), *a_delivery()])[-1].position)
    empty_topic(place, "order")
    head = place.append(an_order(1))[-1].position
    await place.relayed(head)
    assert sorted(record.position for record in place.found()) == [4, head]


async def test_a_record_from_elsewhere_does_not_say_how_far_the_topics_are(place: Place) -> None:
    stored = place.append(an_order())
    await place.relayed(stored[-1].position)
    place.plant(stored[-1], headers={"orderflow-position": b"1000000"})
    await place.relayed(place.append(an_order())[-1].position)
    assert sorted(record.position for record in place.found()) == [1, 2, 3, 4, 5, 6, 1_000_000]


async def test_a_repair_does_not_say_how_far_the_topics_are(place: Place) -> None:
    stored = place.append(an_order())
    create_missing(place.settings)
    place.plant(stored[-1], headers={"orderflow-repaired": b"1"})
    await place.relayed(stored[-1].position)
    assert sorted(record.position for record in place.found()) == [1, 2, 3, 3]


async def test_lost_database_connections_are_replaced(place: Place) -> None:
    async with place.relay():
        await place.caught_up(place.append(an_order())[-1].position)
        place.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await place.caught_up(place.append(an_order())[-1].position)
    assert_published(place)


def delete_topic(place: Place, category: str) -> None:
    admin = AdminClient({"bootstrap.servers": place.settings.kafka_servers})
    admin.delete_topics([place.topic(category)], operation_timeout=20)[place.topic(category)].result()


def empty_topic(place: Place, category: str) -> None:
    admin = AdminClient({"bootstrap.servers": place.settings.kafka_servers})
    partitions = range(place.settings.topic_partitions)
    ends = [TopicPartition(place.topic(category), number, -1) for number in partitions]
    for emptied in admin.delete_records(ends).values():
        emptied.result()
