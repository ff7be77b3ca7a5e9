"""The part of the AsyncAPI 3.0 specification that our document uses, as JSON Schema: no package ships the whole."""

from typing import Any, Final

Json = dict[str, Any]


def _object(required: str = "", /, **members: Json) -> Json:
    """Take the members that the specification names, and its extensions, and nothing else."""
    extensions: Json = {"^x-": {}}
    known = {name.removesuffix("_"): form for name, form in members.items()}
    closed = {"properties": known, "patternProperties": extensions, "additionalProperties": False}
    return {"type": "object", "required": required.split(), **closed}


def _each(form: Json) -> Json:
    return {"type": "object", "propertyNames": {"pattern": r"^[\w.\-]+$"}, "additionalProperties": form}


_TEXT: Final[Json] = {"type": "string", "minLength": 1}
_SWITCH: Final[Json] = {"type": "boolean"}
_SCHEMA: Final[Json] = {"$ref": "https://json-schema.org/draft/2020-12/schema"}
_REFERENCE: Final = _object("$ref", **{"$ref": _TEXT})
_VERSIONED: Final = {"bindingVersion": _TEXT}
_QUEUE: Final = _object("name", name=_TEXT, durable=_SWITCH, exclusive=_SWITCH, autoDelete=_SWITCH)
_AMQP_CHANNEL: Final = _object("is", is_={"enum": ["queue", "routingKey"]}, queue=_QUEUE, **_VERSIONED)
_KAFKA_CHANNEL: Final = _object(topic=_TEXT, **_VERSIONED)
_MESSAGE_BINDINGS: Final = _object(
    kafka=_object(key=_SCHEMA, **_VERSIONED), amqp=_object(messageType=_TEXT, **_VERSIONED)
)
_SERVER: Final = _object(
    "host protocol",
    host=_TEXT,
    protocol=_TEXT,
    protocolVersion=_TEXT,
    variables=_each(_object(default=_TEXT, description=_TEXT)),
)
_CHANNEL: Final = _object(
    address=_TEXT,
    title=_TEXT,
    description=_TEXT,
    servers={"type": "array", "items": _REFERENCE},
    messages=_each(_REFERENCE),
    bindings=_object(kafka=_KAFKA_CHANNEL, amqp=_AMQP_CHANNEL),
)
_AMQP_OPERATION: Final = _object(deliveryMode={"enum": [1, 2]}, mandatory=_SWITCH, ack=_SWITCH, **_VERSIONED)
_OPERATION: Final = _object(
    "action channel",
    action={"enum": ["send", "receive"]},
    channel=_REFERENCE,
    summary=_TEXT,
    bindings=_object(amqp=_AMQP_OPERATION),
)
_MESSAGE: Final = _object(
    name=_TEXT,
    title=_TEXT,
    contentType=_TEXT,
    payload=_REFERENCE,
    headers={**_SCHEMA, "required": ["type"], "properties": {"type": {"const": "object"}}},
    correlationId=_object("location", location={"type": "string", "pattern": r"^\$message\.(header|payload)#/"}),
    bindings=_MESSAGE_BINDINGS,
)
FORM: Final = _object(
    "asyncapi info",
    asyncapi={"const": "3.0.0"},
    info=_object("title version", title=_TEXT, version=_TEXT, description=_TEXT),
    defaultContentType=_TEXT,
    servers=_each(_SERVER),
    channels=_each(_CHANNEL),
    operations=_each(_OPERATION),
    components=_object(messages=_each(_MESSAGE), schemas=_each(_SCHEMA)),
)
