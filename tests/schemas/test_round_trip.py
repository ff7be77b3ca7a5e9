from typing import get_args

from hypothesis import given

from schemas import commands, recorded
from schemas.commands import Command, Sent
from schemas.events import Event
from schemas.recorded import Recorded
from tests import command_examples, examples, strategies


def test_every_event_has_one_example() -> None:
    assert [type(event) for event in examples.EVENTS] == list(get_args(Event))


def test_every_command_has_one_example() -> None:
    assert [type(command) for command in command_examples.COMMANDS] == list(get_args(Command))


@given(strategies.recordeds)
def test_what_is_stored_is_read_back_as_it_was(event: Recorded) -> None:
    assert recorded.decode(recorded.encode(event)) == event


@given(strategies.recordeds)
def test_reading_and_storing_again_gives_the_same_bytes(event: Recorded) -> None:
    state = recorded.encode(event)
    assert recorded.encode(recorded.decode(state)) == state


@given(strategies.sents)
def test_what_is_sent_arrives_as_it_was(sent: Sent) -> None:
    assert commands.decode(commands.encode(sent)) == sent
