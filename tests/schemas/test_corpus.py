"""Whatever was ever stored or sent is still read, and means what it meant."""

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from domain.aggregate import Aggregate
from domain.aggregates import ORDER, PAYMENT, PRODUCT, STOCK
from infra.event_log import Stored
from projections.main import READ_MODELS
from schemas.commands import decode as decode_command
from schemas.events.payment import PaymentDeclined
from schemas.recorded import GENESIS, Recorded, decode, digest, encode
from schemas.upcasters import STEPS
from schemas.wire import COMMANDS, EVENTS, SUPERSEDED
from tests.schemas.corpus import GOLDEN, MANIFEST, add, digests

FILES = sorted(GOLDEN.glob("*.json"))
STREAMS = sorted(GOLDEN.glob("*.jsonl"))
AGGREGATES: dict[str, Aggregate[Any, Any, Any]] = {
    "order": ORDER,
    "payment": PAYMENT,
    "product": PRODUCT,
    "stock": STOCK,
}


def test_no_file_was_ever_changed_or_lost() -> None:
    assert digests() == json.loads(MANIFEST.read_bytes()), "golden files are never edited; restore them"


@pytest.mark.parametrize("change", ["edited", "removed"])
def test_adding_files_does_not_hide_that_another_was_changed(tmp_path: Path, change: str) -> None:
    folder = copytree(GOLDEN, tmp_path / "golden")
    file = folder / "stock.received.v1.json"
    if change == "edited":
        file.write_bytes(file.read_bytes().replace(b'"quantity":10', b'"quantity":11'))
    else:
        (folder / "a-declined-order.v1.jsonl").unlink()
    add(folder)
    assert digests(folder) != json.loads((folder / MANIFEST.name).read_bytes())


def test_adding_when_nothing_is_missing_changes_nothing(tmp_path: Path) -> None:
    folder = copytree(GOLDEN, tmp_path / "golden")
    add(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
        file.name: file.read_bytes() for file in GOLDEN.iterdir()
    }


def test_every_form_has_a_file() -> None:
    missing = {*EVENTS, *SUPERSEDED, *COMMANDS} - {file.name.removesuffix(".json") for file in FILES}
    assert not missing, f"run `python -m tests.schemas.corpus`, and commit what it adds for {sorted(missing)}"


@pytest.mark.parametrize("name", [*EVENTS, *SUPERSEDED])
def test_an_event_is_read_as_its_newest_form(name: str) -> None:
    stored = (GOLDEN / f"{name}.json").read_bytes()
    newest = STEPS[name].successor if name in STEPS else name
    assert decode(stored).event.type == newest
    if name not in STEPS:
        assert encode(decode(stored)) == stored


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_read(name: str) -> None:
    assert decode_command((GOLDEN / f"{name}.json").read_bytes()).command.type == name


def test_a_decline_of_before_means_what_one_of_today_says() -> None:
    before, after = (decode((GOLDEN / f"payment.declined.v{form}.json").read_bytes()) for form in (1, 2))
    assert before.event == after.event
    assert isinstance(before.event, PaymentDeclined)
    assert before.event.kind == "funds"


@pytest.mark.parametrize("name", STEPS)
def test_there_and_back_is_the_same(name: str) -> None:
    stored = (GOLDEN / f"{name}.json").read_bytes()
    back = STEPS[name].downcast(decode(stored).event)
    assert json.loads(back.model_dump_json()) == json.loads(stored)["event"]


@pytest.mark.parametrize("file", STREAMS, ids=lambda file: file.name)
def test_the_chain_of_a_history_holds_as_it_was_stored(file: Path) -> None:
    tails: dict[object, str] = {}
    for line in file.read_bytes().splitlines():
        recorded = decode(line)
        assert recorded.prev == tails.get(recorded.stream_id, GENESIS)
        tails[recorded.stream_id] = digest(line)


@pytest.mark.parametrize("file", STREAMS, ids=lambda file: file.name)
def test_a_history_folds_into_aggregates_and_views(file: Path) -> None:
    events = [decode(line) for line in file.read_bytes().splitlines()]
    for category, aggregate in AGGREGATES.items():
        for stream_id in {each.stream_id for each in events if each.category == category}:
            aggregate.fold(each.event for each in events if each.stream_id == stream_id)
    for model in READ_MODELS:
        batch = [stored for stored in _stored(file, events) if stored.category in model.categories]
        assert all(row.position for row in model.changed({}, batch).values())


def test_a_history_of_before_shows_what_one_of_today_shows() -> None:
    before, after = (GOLDEN / f"a-declined-order.{form}.jsonl" for form in ("v1", "v1-v2"))
    assert _views(before) == _views(after)


def _views(file: Path) -> list[object]:
    events = [decode(line) for line in file.read_bytes().splitlines()]
    return [
        model.changed({}, [stored for stored in _stored(file, events) if stored.category in model.categories])
        for model in READ_MODELS
    ]


def _stored(file: Path, events: list[Recorded]) -> list[Stored]:
    lines = file.read_bytes().splitlines()
    return [
        Stored(position, each.stream_id, each.version, json.loads(line)["event"]["type"], line)
        for position, (each, line) in enumerate(zip(events, lines, strict=True), start=1)
    ]
