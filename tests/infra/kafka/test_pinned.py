"""A consumer that still knows only an old form is served as if nobody had ever changed it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from confluent_kafka.admin import AdminClient
from pydantic import SecretStr, ValidationError

from infra.commands.relay_audit import Order, carry_out
from infra.kafka.audience import DOWNCAST, pinned
from infra.kafka.topics import client_settings
from infra.settings import Settings
from schemas.recorded import encode
from schemas.wire import SUPERSEDED
from tests.examples import declined, recorded, requested
from tests.infra.kafka.relaying import Place, Row, a_delivery, a_place, a_poison, an_order, assert_published
from tests.schemas.corpus import GOLDEN

PINS = {"warehouse": ("payment.declined.v1",)}
OLD = json.loads((GOLDEN / "payment.declined.v1.json").read_bytes())


@pytest.fixture
def place(database: str, redis_url: str, kafka_servers: str) -> Place:
    return a_place(database, redis_url, kafka_servers)


@pytest.fixture
def pinning(place: Place) -> Place:
    return replace(place, settings=place.settings.model_copy(update={"pinned": PINS}))


def a_decline(order_id: UUID | None = None) -> list[Row]:
    """Give a payment that was asked for and declined, as both are stored today."""
    order_id = order_id or uuid4()
    stored = [recorded(requested(order_id=order_id), 1), recorded(declined(order_id=order_id), 2)]
    return [(each.stream_id, each.version, each.event.type, encode(each)) for each in stored]


def an_old_decline() -> Row:
    """Give the first event of a payment, in bytes of before."""
    state = (GOLDEN / "payment.declined.v1.json").read_bytes()
    return UUID(OLD["stream_id"]), 1, "payment.declined.v1", state


async def relayed(place: Place, position: int) -> None:
    async with place.relay():
        await place.caught_up(position)
        await place.caught_up(position, relay="kafka.warehouse")


def told(place: Place) -> list[tuple[int, str, Mapping[str, Any], bytes | None]]:
    """Give what the warehouse finds: position, type, message and from which form, in the order of positions."""
    (audience,) = pinned(place.settings)
    records = place.found(audience.topics(place.settings.topic_prefix).values())
    return sorted(
        (each.position, (each.headers["ce_type"] or b"").decode(), json.loads(each.value), each.headers.get(DOWNCAST))
        for each in records
    )


def audited(place: Place) -> dict[str, Any]:
    return carry_out(Order(1, None, repair=False, dsn=place.dsn, data=None, kafka=None), place.settings).told()


async def test_it_gets_the_form_that_it_knows_and_everything_else_as_it_is_stored(pinning: Place) -> None:
    stored = pinning.append([*an_order(), an_old_decline(), *a_decline(), *a_delivery()])
    await relayed(pinning, stored[-1].position)
    payments = [each for each in stored if each.category == "payment"]
    found = told(pinning)
    assert [position for position, *_ in found] == [each.position for each in payments]
    assert [kind for _, kind, _, _ in found] == ["payment.declined.v1", "payment.requested.v1", "payment.declined.v1"]
    assert [came_from for *_, came_from in found] == [None, None, b"payment.declined.v2"]
    assert found[0][2] == OLD
    newest = found[2][2]
    assert newest["event"].keys() == OLD["event"].keys()
    assert {**newest, "event": None} == {**json.loads(payments[2].state), "event": None}
    SUPERSEDED["payment.declined.v1"].model_validate_json(json.dumps(newest["event"]))


async def test_everybody_else_gets_what_is_stored(pinning: Place) -> None:
    await relayed(pinning, pinning.append([*an_order(), *a_decline()])[-1].position)
    assert_published(pinning)


async def test_a_consumer_that_is_pinned_later_gets_the_whole_history(place: Place, pinning: Place) -> None:
    await place.relayed(place.append([*a_decline(), *an_order()])[-1].position)
    await relayed(pinning, pinning.append(a_decline())[-1].position)
    assert [kind for _, kind, _, _ in told(pinning)] == ["payment.requested.v1", "payment.declined.v1"] * 2
    assert_published(pinning)


async def test_a_relay_that_starts_again_repeats_nothing_and_loses_nothing(pinning: Place) -> None:
    for _ in range(3):
        await relayed(pinning, pinning.append([*a_decline(), *an_order()])[-1].position)
    pinning.execute("UPDATE relay_positions SET position = 0, published = '{}'")
    await relayed(pinning, pinning.append(a_decline())[-1].position)
    assert len(told(pinning)) == 8
    assert_published(pinning)


async def test_a_topic_that_was_deleted_is_filled_again(pinning: Place) -> None:
    await relayed(pinning, pinning.append(a_decline())[-1].position)
    topic = f"{pinning.topic('payment')}.warehouse"
    admin = AdminClient(client_settings(pinning.settings))
    admin.delete_topics([topic])[topic].result()
    await relayed(pinning, pinning.append(a_decline())[-1].position)
    assert len(told(pinning)) == 4
    assert_published(pinning)


async def test_what_cannot_be_read_is_parked_for_each(pinning: Place) -> None:
    order_id = uuid4()
    rows = a_decline(order_id)
    stored = pinning.append([rows[0], (rows[1][0], 2, "payment.declined.v2", a_poison(rows[1][0], 2)[3])])
    await relayed(pinning, pinning.append(a_decline())[-1].position)
    parked = pinning.query("SELECT consumer, position FROM dead_letters WHERE status = 'parked' ORDER BY consumer")
    assert parked == [("relay", stored[1].position), ("relay.warehouse", stored[1].position)]
    assert len(told(pinning)) == 3


async def test_the_audit_compares_its_topics_too(pinning: Place) -> None:
    await relayed(pinning, pinning.append([an_old_decline(), *a_decline(), *an_order()])[-1].position)
    found = audited(pinning)
    assert (found["events"], found["pinned"]["warehouse"]["events"]) == (6, 3)
    faults = ("missing", "duplicated", "out_of_order", "foreign")
    assert [found["pinned"]["warehouse"][fault]["count"] for fault in faults] == [0, 0, 0, 0]
    (audience,) = pinned(pinning.settings)
    position = told(pinning)[-1][0]
    changed = encode(recorded(declined("stolen_card"))).decode()
    pinning.replace_state(position, changed.encode())
    assert audited(pinning)["pinned"][audience.consumer]["foreign"]["count"] == 1


async def test_without_pins_there_are_no_other_topics(place: Place) -> None:
    await place.relayed(place.append(a_decline())[-1].position)
    names = AdminClient(client_settings(place.settings)).list_topics(timeout=10).topics
    assert {name for name in names if name.startswith(place.settings.topic_prefix)} == {
        place.topic(category) for category in ("order", "payment", "product", "stock")
    }


@pytest.mark.parametrize(
    ("pins", "said"),
    [
        ({"Ware house": ["payment.declined.v1"]}, "no name of a consumer"),
        ({"warehouse": []}, "pinned to nothing"),
        (
            {"warehouse": ["payment.declined.v2"]},
            "no form that has a successor; there are: order.placed.v1, payment.declined.v1",
        ),
    ],
)
def test_a_pin_that_cannot_be_is_refused_with_what_can(pins: dict[str, list[str]], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Settings.model_validate({"pinned": pins})


def test_pins_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERFLOW_PINNED", '{"warehouse": ["payment.declined.v1"]}')
    assert Settings(postgres_dsn=SecretStr("x")).pinned == PINS
