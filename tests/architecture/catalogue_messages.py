"""The half of the catalogue that is about messages: events, commands, their envelopes, and what these are made of."""

from collections.abc import Iterator
from typing import Final, get_args

from infra.asyncapi import WORKERS
from schemas.base import Category, Message
from schemas.commands import Sent
from schemas.recorded import Recorded
from schemas.upcasters import STEPS
from schemas.wire import COMMANDS, EVENTS, SUPERSEDED, Schema, category_of, queue_named, schemas
from tests.architecture.followers import readers
from tests.architecture.markdown import heading, listed, table

_SCHEMAS: Final = schemas()
_FORMATS: Final = {"uuid": "UUID", "date-time": "instant"}


def messages() -> Iterator[str]:
    yield from _events()
    yield from _commands()
    yield from _envelopes()
    yield from _parts()


def _events() -> Iterator[str]:
    yield from heading(
        2,
        "Events",
        "Facts, appended by the write API alone and never changed. Each is in the envelope [`Recorded`](#recorded).\n"
        "Kafka carries them in one topic for each category. Who reads one is a read model, by the name of its table,\n"
        "the live figures, or the process `order_fulfilment`.",
    )
    for category in get_args(Category):
        yield from heading(3, category.capitalize(), f"Topic `orderflow.{category}`.")
        forms = {name: kind for name, kind in (*EVENTS.items(), *SUPERSEDED.items()) if category_of(name) == category}
        rows = ((*_row(name, kind), listed(_readers(name))) for name, kind in forms.items())
        yield from table(("event", "what it says", "fields", "read by"), rows)


def _readers(name: str) -> list[str]:
    return readers(STEPS[name].successor if name in STEPS else name)


def _commands() -> Iterator[str]:
    yield from heading(
        2,
        "Commands",
        "Work orders, in the envelope [`Sent`](#sent). RabbitMQ carries each to the one queue of its worker, at least\n"
        "once; a worker recognises a repeat by `message_id`.",
    )
    for queue in dict.fromkeys(map(queue_named, COMMANDS)):
        yield from heading(3, queue, f"Sent by the outbox, carried out by the {WORKERS[queue]}.")
        rows = (_row(name, kind) for name, kind in COMMANDS.items() if queue_named(name) == queue)
        yield from table(("command", "what it asks", "fields"), rows)


def _row(name: str, kind: type[Message]) -> tuple[str, str, str]:
    said = _said(kind)
    if name in STEPS:
        said = f"No longer written; read as `{STEPS[name].successor}`. {said}"
    members = _SCHEMAS[name]["$defs"][kind.__name__]["properties"].items()
    fields = "<br>".join(f"`{field}` {_kind(form)}" for field, form in members if field != "type")
    return f"[`{name}`](../schemas/json/{name}.json)", said, fields or "none"


def _said(kind: type[Message]) -> str:
    return "" if not kind.__doc__ or kind.__doc__ == Message.__doc__ else " ".join(kind.__doc__.split())


def _envelopes() -> Iterator[str]:
    yield from heading(2, "Envelopes", "What is around every event, and around every command.")
    for kind in (Recorded, Sent):
        yield from _part(kind.__name__, {"description": _said(kind), **kind.model_json_schema()})


def _parts() -> Iterator[str]:
    yield from heading(2, "Parts", "What several messages are made of.")
    parts = {name: part for schema in _SCHEMAS.values() for name, part in schema.get("$defs", {}).items()}
    for name, part in sorted(parts.items()):
        if "const" not in part["properties"].get("type", {}):
            yield from _part(name, part)


def _part(name: str, part: Schema) -> Iterator[str]:
    yield from heading(3, name, part["description"])
    rows = ((f"`{field}`", _told(form)) for field, form in part["properties"].items())
    yield from table(("field", "what it is"), rows)


def _told(form: Schema) -> str:
    return ". ".join([_kind(form), *form.get("description", "").split("\n")]).removesuffix(". ")


def _kind(form: Schema) -> str:
    """Say in a word or two what a field holds; the schema has every bound."""
    match form:
        case {"$ref": str(where)}:
            name = where.rpartition("/")[2]
            kind = f"[{name}](#{name.lower()})"
        case {"anyOf": variants}:
            kind = " or ".join(map(_kind, variants))
        case {"oneOf": _}:
            kind = "one of those above"
        case {"enum": values}:
            kind = f"one of {listed(values)}"
        case {"type": "array", "items": each}:
            kind = f"list of {_kind(each)}"
        case _:
            kind = _FORMATS.get(form.get("format", ""), str(form["type"]))
    return kind
