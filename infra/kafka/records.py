"""How an event looks on Kafka: the stored bytes, under CloudEvents headers (binary mode of its Kafka binding)."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, NotRequired, get_args
from uuid import UUID

from pydantic import StringConstraints, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from infra.event_log import Stored
from schemas.base import Category, Traceparent

CATEGORIES: Final[tuple[Category, ...]] = get_args(Category)
POSITION: Final = "orderflow-position"
VERSION: Final = "orderflow-version"
REPAIRED: Final = "orderflow-repaired"
"""On a record that was published again out of its place, because it had been lost."""

Headers = Mapping[str, bytes | None] | Iterable[tuple[str, bytes | None]]
"""However a client gives them."""

_MOST_DIGITS: Final = 19
_UUID: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_INSTANT: Final = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"


class BadRecord(Exception):  # noqa: N818 - a state of the world
    """Bytes that are no event of ours. The message quotes none of them, for they may be personal."""


class _Trace(TypedDict):
    traceparent: NotRequired[Traceparent | None]


class _Envelope(TypedDict):
    """What the headers repeat. As dictionaries, and with no look into the event: models would take twice as long."""

    event_id: Annotated[str, StringConstraints(pattern=_UUID)]
    occurred_at: Annotated[str, StringConstraints(pattern=_INSTANT)]
    trace: _Trace


_ENVELOPE: Final = TypeAdapter(_Envelope)
_SOURCES: Final = {category: f"/orderflow/{category}".encode() for category in CATEGORIES}


def topic_of(prefix: str, category: Category) -> str:
    """Give the Kafka topic of a category."""
    return f"{prefix}.{category}"


def key_of(stored: Stored) -> bytes:
    """Give the key, by which Kafka keeps the events of one stream in order."""
    return str(stored.stream_id).encode()


def headers_of(stored: Stored, key: bytes | None = None) -> list[tuple[str, bytes]]:
    """Give the headers of an event; raises BadRecord when its envelope cannot be read or its category is unknown.

    `key` is its key, when the caller has made it already.
    """
    source = _SOURCES.get(stored.category)
    if source is None:
        raise BadRecord("its category is unknown")
    try:
        envelope = _ENVELOPE.validate_json(stored.state)
    except ValidationError as error:
        raise BadRecord("its envelope cannot be read") from error
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", envelope["event_id"].encode()),
        ("ce_source", source),
        ("ce_type", stored.topic.encode()),
        ("ce_subject", key or key_of(stored)),
        ("ce_time", envelope["occurred_at"].encode()),
        ("content-type", b"application/json"),
        (POSITION, b"%d" % stored.position),
        (VERSION, b"%d" % stored.version),
    ]
    if (traceparent := envelope["trace"].get("traceparent")) is not None:
        headers.append(("traceparent", traceparent.encode()))
    return headers


def stored_of(key: bytes | None, value: bytes | None, headers: Headers | None) -> Stored:
    """Give the row of the log that a record carries; raises BadRecord. The event itself is decoded on first use."""
    if value is None:
        raise BadRecord("a record without a value")
    told = dict(headers or ())
    try:
        stream_id = UUID((key or b"").decode("ascii"))
        name = (told.get("ce_type") or b"").decode("ascii")
    except ValueError as error:
        raise BadRecord("a record without a stream or a type") from error
    category = name.partition(".")[0]
    if category not in CATEGORIES:
        raise BadRecord("a record of an unknown category")
    return Stored(_number(told, POSITION), stream_id, _number(told, VERSION), name, value)


def _number(headers: dict[str, bytes | None], name: str) -> int:
    digits = headers.get(name) or b""
    if not digits.isdigit() or len(digits) > _MOST_DIGITS or int(digits) == 0:
        raise BadRecord(f"a record without {name}")
    return int(digits)
