"""The AsyncAPI document has the form that AsyncAPI 3 asks for, and says what is really sent."""

from collections.abc import Iterator
from typing import Any, Final, cast

import pytest
from aio_pika.abc import AbstractIncomingMessage
from jsonschema import Draft202012Validator

from infra.asyncapi import document
from infra.event_log import Stored
from infra.kafka.records import CATEGORIES, REPAIRED, headers_of
from infra.rabbitmq.messages import again, first
from schemas.commands import Command, encode
from schemas.events import Event
from schemas.wire import COMMANDS, EVENTS, SUPERSEDED
from tests.architecture.asyncapi_form import FORM
from tests.architecture.followers import followers, subscriptions
from tests.command_examples import COMMANDS as COMMAND_EXAMPLES
from tests.command_examples import sent
from tests.examples import EVENTS as EVENT_EXAMPLES
from tests.examples import recorded

DOCUMENT: Final = document(followers())
MESSAGES: Final = DOCUMENT["components"]["messages"]


def test_it_has_the_form_of_asyncapi_3() -> None:
    wrong = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(FORM).iter_errors(DOCUMENT)]
    assert wrong == []


def test_every_reference_leads_somewhere() -> None:
    for reference in _references(DOCUMENT):
        found: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def test_every_message_travels_on_one_channel() -> None:
    travelling = [name for channel in DOCUMENT["channels"].values() for name in channel["messages"]]
    assert sorted(travelling) == sorted([*EVENTS, *SUPERSEDED, *COMMANDS]) == sorted(MESSAGES)


def test_every_channel_has_a_sender_and_a_receiver() -> None:
    ends = {(each["channel"]["$ref"], each["action"]) for each in DOCUMENT["operations"].values()}
    assert ends == {(f"#/channels/{name}", way) for name in DOCUMENT["channels"] for way in ("send", "receive")}


def test_a_process_receives_the_categories_that_it_subscribes_to_and_no_others() -> None:
    subscribed = {
        f"{process}.{category}"
        for process, theirs in subscriptions().items()
        for subscription in theirs
        for category in subscription.categories
    }
    topics = {f"#/channels/{category}" for category in CATEGORIES}
    operations = DOCUMENT["operations"].items()
    received = {name for name, each in operations if each["action"] == "receive" and each["channel"]["$ref"] in topics}
    assert received == subscribed


@pytest.mark.parametrize("event", EVENT_EXAMPLES, ids=lambda event: event.type)
def test_an_event_has_the_headers_that_it_says(event: Event) -> None:
    carried = {name: value.decode() for name, value in headers_of(Stored.of(7, recorded(event)))}
    _accepts(event.type, {**carried, REPAIRED: "1"})


@pytest.mark.parametrize("command", COMMAND_EXAMPLES, ids=lambda command: command.type)
def test_a_command_has_the_properties_and_headers_that_it_says(command: Command) -> None:
    told = sent(command)
    message = first(told.message_id, encode(told))
    back = cast("AbstractIncomingMessage", message)  # what is read of it, both have
    for each in (message, again(back, attempts=1, error="it is away")):
        assert each.type == MESSAGES[command.type]["bindings"]["amqp"]["messageType"]
        assert each.content_type == MESSAGES[command.type]["contentType"]
        assert each.correlation_id == str(told.trace.correlation_id)
        _accepts(command.type, dict(each.headers))


def _accepts(name: str, headers: dict[str, Any]) -> None:
    Draft202012Validator({**MESSAGES[name]["headers"], "additionalProperties": False}).validate(headers)


def _references(part: Any) -> Iterator[str]:  # noqa: ANN401  # JSON is any value
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from _references(each)
    elif isinstance(part, list):
        for each in part:
            yield from _references(each)
