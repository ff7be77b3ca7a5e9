"""Whoever looks into the log is shown what is stored, not what it is read as."""

import json
from pathlib import Path

import pytest

from infra.commands.events import MASK, readable
from infra.event_log import Stored
from schemas.recorded import encode
from schemas.wire import EVENTS, SUPERSEDED
from tests.examples import placed, recorded
from tests.schemas.corpus import GOLDEN


def golden(file: Path) -> Stored:
    state = file.read_bytes()
    told = json.loads(state)
    return Stored(7, recorded(placed()).stream_id, told["version"], told["event"]["type"], state)


@pytest.mark.parametrize("name", [*EVENTS, *SUPERSEDED])
def test_an_event_is_shown_in_the_form_in_which_it_is_stored(name: str) -> None:
    stored = golden(GOLDEN / f"{name}.json")
    assert readable(stored, reveal=True) == {"position": 7, **json.loads(stored.state)}


def test_what_is_personal_is_masked() -> None:
    stored = Stored(7, recorded(placed()).stream_id, 1, "order.placed.v2", encode(recorded(placed())))
    assert set(readable(stored, reveal=False)["event"]["contact"].values()) == {MASK}
