"""What goes wrong around a pinned consumer is found, repeats nothing, and is nobody else's trouble."""

import asyncio
from dataclasses import replace

import pytest
from confluent_kafka import Producer

from infra.commands.relay_audit import Order, carry_out
from infra.event_log import Stored
from infra.kafka.audience import Audience, pinned
from infra.kafka.lease import Reached
from infra.kafka.records import headers_of, key_of
from infra.kafka.relay import Relay
from infra.kafka.session import Session
from infra.kafka.topics import create_missing
from infra.runtime import open_runtime
from infra.stopping import stop
from schemas.upcasters import STEPS
from tests.infra.kafka.relaying import Found, Place, a_place, an_order
from tests.infra.kafka.test_pinned import PINS, a_decline, relayed


@pytest.fixture
def place(database: str, redis_url: str, kafka_servers: str) -> Place:
    plain = a_place(database, redis_url, kafka_servers)
    return replace(plain, settings=plain.settings.model_copy(update={"pinned": PINS}))


def for_warehouse(place: Place) -> list[Found]:
    (audience,) = pinned(place.settings)
    return place.found(audience.topics(place.settings.topic_prefix).values())


async def test_a_relay_that_is_stopped_amid_a_history_repeats_nothing_and_loses_nothing(place: Place) -> None:
    stored = place.append([row for _ in range(4_000) for row in a_decline()])
    async with place.relay():
        await place.caught_up(1, relay="kafka.warehouse")
    place.execute("UPDATE relay_positions SET position = 0, published = '{}'")
    await relayed(place, stored[-1].position)
    found = for_warehouse(place)
    assert sorted(record.position for record in found) == [each.position for each in stored]
    newest: dict[bytes, int] = {}
    for record in found:
        assert newest.get(record.key, 0) < record.position
        newest[record.key] = record.position


async def test_an_edit_that_nobody_can_read_stops_no_relay(place: Place) -> None:
    stored = place.append(a_decline())
    await relayed(place, stored[-1].position)
    place.replace_state(stored[-1].position, b"{}")
    await relayed(place, place.append([*an_order(), *a_decline()])[-1].position)
    assert len(for_warehouse(place)) == 4


async def test_the_audit_misses_no_event_that_was_not_cast(place: Place) -> None:
    asked, declined = a_decline()
    await relayed(place, place.append([asked])[-1].position)
    (uncast,) = place.append([declined])
    plant(place, f"{place.topic('payment')}.warehouse", uncast)
    place.execute("UPDATE relay_positions SET position = (SELECT max(notification_id) FROM stored_events)")
    order = Order(1, None, repair=False, dsn=place.dsn, data=None, kafka=None)
    told = carry_out(order, place.settings).told()["pinned"]["warehouse"]
    assert {fault: told[fault]["count"] for fault in ("missing", "duplicated", "foreign")} == {
        "missing": 1,
        "duplicated": 0,
        "foreign": 1,
    }


async def test_a_consumer_that_is_pinned_in_another_category_later_gets_all_of_that_too(place: Place) -> None:
    head = place.append([*an_order(), *a_decline()])[-1].position
    await relayed(place, head)
    (narrow,) = pinned(place.settings)
    wider = Audience(narrow.consumer, {**narrow.steps, "order.cancelled.v2": STEPS["payment.declined.v1"]})
    session = await Session.open(place.settings, wider)
    try:
        async with asyncio.TaskGroup() as tasks, open_runtime(place.settings, tasks) as runtime:
            start = await session.start(runtime.pool, Reached(head, {"payment": head}), {})
    finally:
        await session.close()
    assert start.after == {"order": 0, "payment": head}


async def test_a_relay_that_is_stopped_while_it_fills_another_category_goes_on_where_it_stopped(place: Place) -> None:
    ordered = place.append([*an_order(), *an_order()])
    await relayed(place, place.append(a_decline())[-1].position)
    (narrow,) = pinned(place.settings)
    wider = Audience(narrow.consumer, {**narrow.steps, "order.cancelled.v2": STEPS["payment.declined.v1"]})
    topic = wider.topics(place.settings.topic_prefix)["order"]
    create_missing(place.settings, names=[topic])
    plant(place, topic, *ordered[:2])
    async with asyncio.TaskGroup() as tasks, open_runtime(place.settings, tasks) as runtime:
        relaying = tasks.create_task(Relay(runtime, wider).run())
        await place.caught_up(place.append(a_decline())[-1].position, relay=wider.relay)
        await stop([relaying])
    assert sorted(each.position for each in place.found([topic])) == [each.position for each in ordered]


def plant(place: Place, topic: str, *stored: Stored) -> None:
    """Write events to a topic as they are stored."""
    producer = Producer({"bootstrap.servers": place.settings.kafka_servers, "partitioner": "murmur2_random"})
    for each in stored:
        headers: list[tuple[str, str | bytes | None]] = list(headers_of(each))
        producer.produce(topic, each.state, key_of(each), headers=headers)
    assert producer.flush(20) == 0
