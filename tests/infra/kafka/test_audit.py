"""The audit finds whatever does not agree, and a repair adds what is missing only."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.commands.failure import Failure
from infra.commands.relay_audit import Order, carry_out
from infra.kafka.records import REPAIRED
from infra.kafka.topics import create_missing
from tests.infra.kafka.relaying import Place, a_delivery, a_place, an_order
from tests.running import command, environment

AUDITED = {"missing": 0, "duplicated": 0, "out_of_order": 0, "foreign": 0, "repaired": 0}


@pytest.fixture
def place(database: str, redis_url: str, kafka_servers: str) -> Place:
    return a_place(database, redis_url, kafka_servers)


class Audit:
    def __init__(self, place: Place) -> None:
        self._place = place

    def told(self, *, first: int = 1, last: int | None = None, repair: bool = False) -> dict[str, Any]:
        order = Order(first, last, repair=repair, dsn=self._place.dsn, data=None, kafka=None)
        return carry_out(order, self._place.settings).told()

    def run(self, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
        """Run it as people and programs do."""
        settings = self._place.settings
        arguments = command("relay", "audit", "--dsn", self._place.dsn, "--kafka", settings.kafka_servers, *options)
        known = {**environment(folder), "ORDERFLOW_TOPIC_PREFIX": settings.topic_prefix}
        return subprocess.run(arguments, env=known, capture_output=True, text=True, check=False)


@pytest.fixture
def audit(place: Place) -> Audit:
    return Audit(place)


def counts(told: dict[str, Any]) -> dict[str, int]:
    return {name: told[name]["count"] for name in AUDITED if name != "repaired"} | {"repaired": told["repaired"]}


def reached(place: Place, position: int) -> None:
    place.execute(
        "INSERT INTO relay_positions (relay, position, owner, lease_until) VALUES ('kafka', 0, 'nobody', now())"
        "ON CONFLICT DO NOTHING"
    )
    place.execute("UPDATE relay_positions SET position = (SELECT max(notification_id) FROM stored_events)")
    assert place.query("SELECT position FROM relay_positions") == [(position,)]


async def test_what_the_relay_has_published_is_clean(place: Place, audit: Audit) -> None:
    head = place.append([*an_order(), *a_delivery()])[-1].position
    await place.relayed(head)
    told = audit.told()
    assert (told["from"], told["to"], told["events"], told["records"]) == (1, head, 4, 4)
    assert counts(told) == AUDITED


def test_an_event_that_is_on_no_topic_is_missing(place: Place, audit: Audit) -> None:
    first, second, third = place.append(an_order())
    place.plant(first, third)
    reached(place, third.position)
    told = audit.told()
    assert counts(told) == {**AUDITED, "missing": 1}
    assert told["missing"]["examples"] == [f"position {second.position}"]


def test_an_event_that_is_on_its_topic_twice_is_duplicated(place: Place, audit: Audit) -> None:
    stored = place.append(an_order())
    place.plant(*stored, stored[-1])
    reached(place, stored[-1].position)
    assert counts(audit.told()) == {**AUDITED, "duplicated": 1}


def test_an_event_that_comes_before_the_one_before_it_is_out_of_order(place: Place, audit: Audit) -> None:
    first, second, third = place.append(an_order())
    place.plant(second, first, third)
    reached(place, third.position)
    assert counts(audit.told()) == {**AUDITED, "out_of_order": 1}


def test_repeating_a_stream_leaves_it_in_order(place: Place, audit: Audit) -> None:
    stored = place.append(an_order())
    place.plant(*stored, *stored)
    reached(place, stored[-1].position)
    assert counts(audit.told()) == {**AUDITED, "duplicated": 3}


def test_a_repaired_event_may_come_late(place: Place, audit: Audit) -> None:
    first, second, third = place.append(an_order())
    place.plant(first, third)
    place.plant(second, headers={REPAIRED: b"1"})
    reached(place, third.position)
    assert counts(audit.told()) == AUDITED


@pytest.mark.parametrize(
    "foreign",
    ["changed", "moved", "of no stream", "without a position"],
)
def test_what_is_not_from_the_log_is_foreign(place: Place, audit: Audit, foreign: str) -> None:
    stored = place.append(an_order())
    place.plant(*stored)
    last = stored[-1]
    match foreign:
        case "changed":
            place.plant(last._replace(state=last.state.replace(b"ana", b"eva")))
        case "moved":
            place.plant(last, key=b"00000000-0000-0000-0000-000000000001")
        case "of no stream":
            place.plant(last, key=b"whatever")
        case _:
            place.plant(last, headers={"orderflow-position": None})
    reached(place, last.position)
    assert counts(audit.told()) == {**AUDITED, "foreign": 1}


def test_parked_events_are_not_missing(place: Place, audit: Audit) -> None:
    first, second = place.append(an_order(2))
    place.plant(first)
    place.execute(
        "INSERT INTO dead_letters (dead_letter_id, kind, consumer, stream_id, version, position, error, attempts)"
        " SELECT gen_random_uuid(), 'event', 'relay', originator_id, originator_version, notification_id, 'x', 1"
        " FROM stored_events WHERE originator_version = 2"
    )
    reached(place, second.position)
    told = audit.told()
    assert (counts(told), told["parked"]) == (AUDITED, 1)


def test_only_the_range_is_compared(place: Place, audit: Audit) -> None:
    stored = place.append(an_order(4))
    place.plant(stored[1], stored[2], stored[2])
    assert counts(audit.told(first=stored[1].position, last=stored[2].position)) == {**AUDITED, "duplicated": 1}


def test_what_the_relay_has_not_reached_yet_is_not_missing(place: Place, audit: Audit) -> None:
    stored = place.append(an_order(2))
    place.plant(*stored)
    reached(place, stored[-1].position)
    place.append(an_order())
    assert counts(audit.told()) == AUDITED


def test_a_repair_publishes_what_is_missing_and_nothing_else(place: Place, audit: Audit) -> None:
    first, second, third, fourth = place.append(an_order(4))
    place.plant(first, fourth)
    reached(place, fourth.position)
    assert counts(audit.told(repair=True)) == {**AUDITED, "missing": 2, "repaired": 2}
    found = place.found()
    assert [record.position for record in found] == [each.position for each in (first, fourth, second, third)]
    assert [REPAIRED in record.headers for record in found] == [False, False, True, True]
    assert counts(audit.told()) == AUDITED


def test_a_repair_does_not_hide_what_it_cannot_repair(place: Place, audit: Audit) -> None:
    stored = place.append(an_order())
    place.plant(stored[0], stored[0])
    reached(place, stored[-1].position)
    told = audit.told(repair=True)
    assert counts(told) == {**AUDITED, "missing": 2, "duplicated": 1, "repaired": 2}


async def test_a_repair_leaves_the_running_relay_alone(place: Place, audit: Audit) -> None:
    stored = place.append(an_order())
    place.plant(stored[0], stored[2])
    async with place.relay():
        await place.caught_up(stored[-1].position)
        assert counts(audit.told(repair=True)) == {**AUDITED, "missing": 1, "repaired": 1}
        await place.caught_up(place.append(an_order())[-1].position)
    assert counts(audit.told()) == AUDITED


def test_people_are_told_in_words(place: Place, audit: Audit, tmp_path: Path) -> None:
    stored = place.append(an_order())
    place.plant(stored[0], stored[2])
    reached(place, stored[-1].position)
    found = audit.run(tmp_path, "--table")
    assert "missing: 1\n  position 2\n" in found.stdout
    assert found.returncode == 1
    repaired = audit.run(tmp_path, "--table", "--repair")
    assert "Published what was missing: 1 events." in repaired.stdout
    assert repaired.returncode == 0


def test_programs_are_told_in_json(place: Place, audit: Audit, tmp_path: Path) -> None:
    create_missing(place.settings)
    reached(place, place.append(an_order())[-1].position)
    done = audit.run(tmp_path, "--json", "--to", "2")
    assert counts(json.loads(done.stdout)) == {**AUDITED, "missing": 2}
    assert done.returncode == 1


def test_topics_that_are_not_there_are_told(place: Place, audit: Audit) -> None:
    with pytest.raises(Failure, match=rf"there is no topic {place.settings.topic_prefix}"):
        audit.told()


def test_a_broker_that_is_away_is_told(place: Place) -> None:
    order = Order(1, None, repair=False, dsn=place.dsn, data=None, kafka="127.0.0.1:1")
    with pytest.raises(Failure, match=r"Kafka at 127\.0\.0\.1:1"):
        carry_out(order, place.settings)
