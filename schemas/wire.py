"""Every form that travels, by its wire name, and its JSON Schema (2020-12). `make contracts` writes them to `json/`."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, get_args

from pydantic import create_model

from schemas.base import Category, Message
from schemas.commands import Command, Queue, Sent, queue_of
from schemas.events import Event
from schemas.recorded import Recorded
from schemas.upcasters import STEPS

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def _by_name(kinds: Iterable[type[Message]]) -> Mapping[str, type[Message]]:
    return {str(kind.model_fields["type"].default): kind for kind in kinds}


EVENTS: Final = _by_name(get_args(Event))
SUPERSEDED: Final = {name: step.kind for name, step in STEPS.items()}
"""Events of forms that are no longer written, and that the log holds for ever."""
COMMANDS: Final = _by_name(get_args(Command))


def category_of(name: str) -> Category:
    """Give the category that an event of this wire name belongs to."""
    return next(category for category in get_args(Category) if name.startswith(f"{category}."))


def queue_named(name: str) -> Queue:
    """Give the queue that a command of this wire name is sent to."""
    return queue_of(COMMANDS[name].model_construct())  # type: ignore[arg-type]  # one of the union


def schemas() -> Mapping[str, Schema]:
    """Give the schema of each wire name: the whole message, envelope included, as consumers meet it."""
    return {
        **{name: _schema("event", name, kind) for name, kind in {**EVENTS, **SUPERSEDED}.items()},
        **{name: _schema("command", name, kind) for name, kind in COMMANDS.items()},
    }


def _schema(role: Literal["event", "command"], name: str, kind: type[Message]) -> Schema:
    narrowed: dict[str, Any] = {role: (kind, ...)}
    if role == "event":
        narrowed["category"] = (Literal[category_of(name)], ...)
    whole: Any = create_model(name, __base__=Recorded if role == "event" else Sent, **narrowed)
    about = kind.__doc__ if kind.__doc__ and kind.__doc__ != Message.__doc__ else None
    head = {"$schema": DIALECT, "$id": f"urn:orderflow:{role}:{name}", "title": name}
    return {**head, **({"description": about.strip()} if about else {}), **_required_type(whole.model_json_schema())}


def _required_type(schema: Schema) -> Schema:
    """Say what the models take for granted: `type` is always written, although they would fill it in."""
    for part in schema.get("$defs", {}).values():
        if "const" in part.get("properties", {}).get("type", {}):
            part["required"] = sorted({*part.get("required", ()), "type"})
    return {name: value for name, value in schema.items() if name not in {"title", "description"}}
