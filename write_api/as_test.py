"""Turns the recorded history of an order into a test of the rules, with everything personal replaced."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any, Final, TypeVar
from uuid import UUID, uuid5

from domain.asked import AnyCommand, asked_for
from schemas.base import Message
from schemas.events import Event
from schemas.events.order import Contact, OrderEvent
from schemas.personal import Personal, Sealed
from schemas.recorded import Recorded
from schemas.upcasters import in_clear
from write_api.source import WIDTH, names_in, source_of

M = TypeVar("M", bound=Message)

_SOMEBODY: Final = {
    "name": "Somebody Else",
    "email": "somebody@example.com",
    "phone": "+10000000000",
    "address": "Somewhere 1",
    "note": "A note.",
}
"""What stands for each personal field; an event with another one cannot be exported before it is told here."""
_CUSTOMERS: Final = UUID("b2c5a0de-6f60-4b87-9a52-64b0c8d1a9a1")
_HEAD: Final = '''"""What happened to order {order_id}, by `orderflow order export-test`; nothing personal."""

{imports}

'''
_TEST: Final = """
def test_{name}() -> None:
    command = {command}
    given(*{stream}[:{before}]).when(command).then({stream}[{before}])
"""


def as_test(history: Sequence[Recorded]) -> str:
    """Give the source of a pytest module: one test for each event of the order, of its payment, and of stock about it.

    `history` has whole streams, each in its order, the order's first. A test expects what was recorded: it fails where
    the rules decide otherwise by now.
    """
    order_id = history[0].stream_id
    streams = {name: [impersonal(each.event) for each in events] for name, events in _named(history, order_id)}
    tests = [
        (name, before, event, asked_for(event, order_id))
        for name, events in streams.items()
        for before, event in enumerate(events)
        if _is_about(event, order_id)
    ]
    used = [*map(tuple, streams.values()), tuple(command for *_, command in tests)]
    head = _HEAD.format(order_id=order_id, imports=_imports(used))
    facts = (f"{name} = {source_of(tuple(events), used=len(name) + 3)}\n" for name, events in streams.items())
    return head + "\n".join((*facts, *(_test(*each) for each in tests)))


def _named(history: Sequence[Recorded], order_id: UUID) -> Iterator[tuple[str, list[Recorded]]]:
    """Name the streams, and leave out what came after the order."""
    streams: defaultdict[UUID, list[Recorded]] = defaultdict(list)
    for recorded in history:
        streams[recorded.stream_id].append(recorded)
    number = count(1)
    for stream in streams.values():
        category = stream[0].category
        about = [place for place, each in enumerate(stream, 1) if _is_about(each.event, order_id)]
        if about:
            yield f"STOCK_{next(number)}" if category == "stock" else category.upper(), stream[: about[-1]]


def _is_about(event: Event, order_id: UUID) -> bool:
    return isinstance(event, OrderEvent) or getattr(event, "order_id", None) == order_id


def _test(stream: str, before: int, event: Event, command: AnyCommand) -> str:
    return _TEST.format(
        name=f"{stream.lower()}_{before + 1}_{event.type.rpartition('.')[0].replace('.', '_')}",
        command=source_of(command, indent="    ", used=len("command = ")),
        stream=stream,
        before=before,
    )


def impersonal(message: M) -> M:
    """Give the message with all that is about a person, and what money can be asked with, replaced."""
    return message.model_copy(update=dict(_replaced(message)))


def _replaced(message: Message) -> Iterator[tuple[str, Any]]:
    for name in type(message).model_fields:
        value = getattr(message, name)
        if isinstance(value, Personal):
            given = (field for field in type(value).model_fields if getattr(value, field) is not None)
            yield name, type(value).model_validate({field: _SOMEBODY[field] for field in given})
        elif isinstance(value, Sealed):
            yield name, in_clear(Contact.model_validate(_SOMEBODY))
        elif name == "customer_id":
            yield name, uuid5(_CUSTOMERS, str(value))
        elif name == "payment_token":
            yield name, "tok_visa"
        elif name == "tracking" and value:
            yield name, "TRACKING"


def _imports(used: Iterable[tuple[Message, ...]]) -> str:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for messages in used:
        for module, name in names_in(messages):
            found[module].add(name)
    found["tests.given"].add("given")
    lines = [_import(module, sorted(names)) for module, names in sorted(found.items())]
    standard = [line for line in lines if line.startswith("from uuid")]
    return "\n".join((*standard, "", *(line for line in lines if line not in standard)))


def _import(module: str, names: Sequence[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return "\n".join((f"from {module} import (", *(f"    {name}," for name in names), ")"))
