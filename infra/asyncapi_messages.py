"""The messages of the AsyncAPI document: what is around each payload, and the payload's schema."""

from collections.abc import Mapping
from typing import Any, Final

from infra.kafka.audience import DOWNCAST
from infra.kafka.records import POSITION, REPAIRED, VERSION
from infra.rabbitmq.messages import ATTEMPT, ERROR, TRACEPARENT
from schemas.wire import COMMANDS, EVENTS, SUPERSEDED, schemas

Json = dict[str, Any]

FORMS: Final = (*EVENTS, *SUPERSEDED)
"""Of events: a topic holds those that have a successor, too."""

_CAUSE: Final = "W3C Trace Context of the request that caused it, where that sent one."
_EVENT_HEADERS: Final[Mapping[str, str]] = {
    "ce_specversion": "Always 1.0 (CloudEvents, binary content mode of its Kafka binding).",
    "ce_id": "The event's id, a UUIDv7: the same for every copy of the event.",
    "ce_source": "/orderflow/ and the category.",
    "ce_type": "The wire name of the event.",
    "ce_subject": "The stream's id, as the key.",
    "ce_time": "When it happened (RFC 3339).",
    "content-type": "application/json",
    POSITION: "Its place in the log, in decimal digits: grows in commit order, with holes.",
    VERSION: "Its version in its stream: 1 for the first, then without a hole.",
    TRACEPARENT: _CAUSE,
    REPAIRED: "Present on a copy that was published again out of its place, because it had been lost.",
    DOWNCAST: "On the topics of a pinned consumer: the newer form in which the log holds it. `prev` hashes that one.",
}
_OPTIONAL: Final = {TRACEPARENT, REPAIRED, DOWNCAST}
_COMMAND_HEADERS: Final[Json] = {
    TRACEPARENT: {"type": "string", "description": _CAUSE},
    ATTEMPT: {"type": "integer", "description": "Attempts that came to an end, on a message that comes back."},
    ERROR: {"type": "string", "description": "What the last attempt failed with, on a message that comes back."},
}
_CORRELATION: Final = {"location": "$message.payload#/trace/correlation_id"}


def message(name: str) -> Json:
    """Refer to a message by its wire name."""
    return {"$ref": f"#/components/messages/{name}"}


def components() -> Json:
    """Give every message and every payload's schema, for the document's `components`."""
    return {
        "messages": {**_events(), **_commands()},
        "schemas": {name: _inlined(schema, schema.get("$defs", {})) for name, schema in schemas().items()},
    }


def _events() -> Json:
    properties = {name: {"type": "string", "description": said} for name, said in _EVENT_HEADERS.items()}
    required = sorted(_EVENT_HEADERS.keys() - _OPTIONAL)
    headers = {"type": "object", "properties": properties, "required": required}
    key = {"type": "string", "format": "uuid", "description": "The stream's id."}
    kafka = {"kafka": {"key": key, "bindingVersion": "0.5.0"}}
    return {name: {**_message(name), "headers": headers, "bindings": kafka} for name in FORMS}


def _commands() -> Json:
    common = {"headers": {"type": "object", "properties": _COMMAND_HEADERS}, "correlationId": _CORRELATION}
    return {
        name: {**_message(name), **common, "bindings": {"amqp": {"messageType": name, "bindingVersion": "0.3.0"}}}
        for name in COMMANDS
    }


def _message(name: str) -> Json:
    payload = {"$ref": f"#/components/schemas/{name}"}
    return {"name": name, "title": name, "contentType": "application/json", "payload": payload}


def _inlined(part: Any, parts: Mapping[str, Any]) -> Any:  # noqa: ANN401  # JSON is any value
    """Put each part where it is referred to: in this document, `#` would be another root."""
    if isinstance(part, list):
        return [_inlined(each, parts) for each in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _inlined(parts[part["$ref"].removeprefix("#/$defs/")], parts)
    return {name: _inlined(each, parts) for name, each in part.items() if name not in {"$schema", "$id", "$defs"}}
