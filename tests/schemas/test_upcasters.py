"""A form that has a successor is read as that successor, whatever it holds; nothing of ours ever meets it."""

import json
from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from schemas.base import Message
from schemas.events import Event
from schemas.events.payment import DeclineKind, kind_of_decline
from schemas.recorded import Recorded, decode, encode
from schemas.upcasters import STEPS
from schemas.wire import EVENTS, SUPERSEDED, category_of
from tests.strategies import a, recordeds

superseded: st.SearchStrategy[Message] = st.one_of([a(kind) for kind in SUPERSEDED.values()])


def stored(envelope: Recorded, event: Message) -> bytes:
    """Give the bytes that an earlier release wrote."""
    told: dict[str, Any] = json.loads(encode(envelope))
    return json.dumps({**told, "event": json.loads(event.model_dump_json())}).encode()


def test_what_is_superseded_is_no_event_that_anybody_has_to_know() -> None:
    assert not {*get_args(Event)} & {*SUPERSEDED.values()}
    for name, step in STEPS.items():
        assert step.successor in EVENTS
        assert category_of(step.successor) == category_of(name)


@given(recordeds, superseded)
def test_an_old_form_is_read_as_its_successor(envelope: Recorded, event: Message) -> None:
    read = decode(stored(envelope, event))
    assert type(read.event) is EVENTS[STEPS[str(type(event).model_fields["type"].default)].successor]
    assert read == envelope.model_copy(update={"event": read.event})


@given(recordeds, superseded)
def test_an_old_form_survives_the_way_there_and_back(envelope: Recorded, event: Message) -> None:
    step = STEPS[str(type(event).model_fields["type"].default)]
    assert step.downcast(decode(stored(envelope, event)).event) == event


@given(st.text())
def test_every_code_of_an_acquirer_has_a_kind(code: str) -> None:
    assert kind_of_decline(code) in get_args(DeclineKind)
