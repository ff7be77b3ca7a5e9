"""The exported schemas say what is written, as those read it who have nothing but them."""

import json
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator, ValidationError

from schemas import commands, recorded
from schemas.commands import Sent
from schemas.recorded import Recorded
from schemas.wire import category_of, schemas
from tests import strategies

READERS = {
    name: Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    for name, schema in schemas().items()
}
EVENTS = strategies.recordeds.map(
    lambda made: made.model_copy(update={"category": category_of(made.event.type)})  # the strategy mixes them
)


@given(EVENTS)
def test_every_event_is_as_its_schema_says(event: Recorded) -> None:
    READERS[event.event.type].validate(json.loads(recorded.encode(event)))


@given(strategies.sents)
def test_every_command_is_as_its_schema_says(sent: Sent) -> None:
    READERS[sent.command.type].validate(json.loads(commands.encode(sent)))


@given(EVENTS)
def test_a_schema_refuses_what_our_readers_refuse(event: Recorded) -> None:
    written: dict[str, Any] = json.loads(recorded.encode(event))
    for wrong in ({**written, "more": 1}, {**written, "event": {**written["event"], "type": "order.placed.v0"}}):
        with pytest.raises(ValidationError):
            READERS[event.event.type].validate(wrong)
