"""The envelope around every event; its JSON bytes are what the log stores and what Kafka carries."""

from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Final
from uuid import UUID

from pydantic import Field, StringConstraints, TypeAdapter

from schemas.base import Category, Identifier, Instant, Message, TenantId, Trace, Version
from schemas.events import Event
from schemas.upcasters import Superseded

GENESIS: Final = "0" * 64
"""`prev` of the first event of a stream."""


if TYPE_CHECKING:
    AnyEvent = Event
else:  # what is read may be of a form that has a successor: its successor is what is given
    AnyEvent = Annotated[Event | Superseded, Field(discriminator="type")]


class Recorded(Message):
    """One event as stored. Encoded once when it is appended; the bytes are never written again in another form."""

    event_id: UUID
    """UUIDv7, unique for ever."""
    stream_id: UUID
    """What it happened to: a product, the stock of a SKU, an order or a payment."""
    category: Category
    """Which of these."""
    version: Version
    """1 for the first event of the stream, then without a hole."""
    occurred_at: Instant
    """When it was decided; UTC."""
    tenant_id: TenantId
    """Whose shop."""
    actor: Identifier
    """Who: `user:<token subject>`, `process:<name>` or `worker:<name>`."""
    trace: Trace
    prev: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256, in hex, of the stored bytes of the stream's previous event; 64 zeros for the first."""
    event: AnyEvent
    """What happened."""


_RECORDED: Final = TypeAdapter(Recorded)


def encode(recorded: Recorded) -> bytes:
    """Give the bytes that are stored, hashed and published."""
    return _RECORDED.dump_json(recorded)


def decode(state: bytes) -> Recorded:
    """Read stored bytes; raises pydantic.ValidationError when they are not a known event."""
    return _RECORDED.validate_json(state)


def digest(state: bytes) -> str:
    """Give the hash that the next event of the stream carries as `prev`."""
    return sha256(state).hexdigest()
