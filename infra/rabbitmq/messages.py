"""How a command looks on the wire: the outbox row's bytes, with properties that tools and retries read."""

from typing import Final
from uuid import UUID

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage, FieldValue
from pydantic import ValidationError

from schemas.commands import decode

ATTEMPT: Final = "orderflow-attempt"
"""Attempts that came to an end, by a failure or by the end of the process."""
ERROR: Final = "orderflow-error"
TRACEPARENT: Final = "traceparent"

_MOST_ATTEMPTS: Final = 1_000_000


def first(message_id: UUID, body: bytes) -> Message:
    """Give the message of an outbox row. A body that is no known command is sent too: its consumer parks it."""
    try:
        sent = decode(body)
    except ValidationError:
        return _message(body, message_id=str(message_id))
    traceparent = sent.trace.traceparent
    return _message(
        body,
        message_id=str(message_id),
        type=sent.command.type,
        correlation_id=str(sent.trace.correlation_id),
        headers={TRACEPARENT: traceparent} if traceparent else {},
    )


def again(message: AbstractIncomingMessage, *, attempts: int, error: str | None = None) -> Message:
    """Give the same message with what has become of it so far; what the broker noted is left behind."""
    headers: dict[str, FieldValue] = {ATTEMPT: attempts} | ({ERROR: error} if error else {})
    if traceparent := message.headers.get(TRACEPARENT):
        headers[TRACEPARENT] = traceparent
    return _message(
        message.body,
        message_id=message.message_id,
        type=message.type,
        correlation_id=message.correlation_id,
        headers=headers,
    )


def attempts_before(message: AbstractIncomingMessage) -> int:
    """Count the attempts that failed, and the deliveries that came back because a consumer ended."""
    return attempts_counted(message) + returns(message)


def attempts_counted(message: AbstractIncomingMessage) -> int:
    """Give the attempts that whoever sent the message had counted."""
    return _count(message.headers.get(ATTEMPT))


def returns(message: AbstractIncomingMessage) -> int:
    """Count the deliveries from this queue that were neither acknowledged nor refused."""
    return max(_count(message.headers.get("x-delivery-count")), int(bool(message.redelivered)))


def _count(value: FieldValue) -> int:
    return value if isinstance(value, int) and 0 <= value <= _MOST_ATTEMPTS else 0


def _message(
    body: bytes,
    *,
    message_id: str | None,
    type: str | None = None,  # noqa: A002  # AMQP's name
    correlation_id: str | None = None,
    headers: dict[str, FieldValue] | None = None,
) -> Message:
    return Message(
        body,
        message_id=message_id,
        type=type,
        correlation_id=correlation_id,
        headers=headers,
        content_type="application/json",
        delivery_mode=DeliveryMode.PERSISTENT,
    )
