"""Commands of processes and workers, taken from the bus to the same handler that serves the other edges."""

from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from domain.aggregate import Aggregate
from domain.aggregates import ORDER, PAYMENT, STOCK
from infra.appender import Once
from infra.bus import Handle
from schemas.base import Trace
from schemas.commands import (
    AuthorisePayment,
    CancelOrder,
    CapturePayment,
    Command,
    CompleteOrder,
    ConfirmOrder,
    DispatchStock,
    NotifyCustomer,
    RefundPayment,
    ReleaseStock,
    ReserveStock,
    Sent,
    VoidPayment,
)
from schemas.ids import payment_id, stock_id
from write_api.handler import Asked, Handler, Target
from write_api.receipts import Receipt

CONCURRENCY: Final = 64


class Misrouted(Exception):  # noqa: N818  # a state of the world
    """A command for a worker arrived in the inbox."""


def inbox(handler: Handler) -> Handle:
    """Make the consumer of `orders.inbox`.

    A message that comes again is answered by the record of the first time. A refusal here is a defect of the sender:
    it is raised, so that the bus retries and then parks the message.
    """

    async def handle(sent: Sent) -> None:
        aggregate, stream_id = addressed(sent.tenant_id, sent.command)
        target = Target(aggregate, stream_id, lambda _state, version: Receipt(version=version))
        await handler.handle(target, sent.command, asked(sent))

    return handle


def asked(sent: Sent) -> Asked:
    """Give who asks, under which identity a repeat is recognised."""
    fingerprint = sha256(sent.command.model_dump_json().encode()).digest()
    once = Once(sent.tenant_id, f"inbox:{sent.actor}", str(sent.message_id), fingerprint)
    trace = Trace(
        correlation_id=sent.trace.correlation_id,
        causation_id=sent.message_id,
        traceparent=sent.trace.traceparent,
    )
    return Asked(sent.tenant_id, sent.actor, trace, once)


def addressed(tenant_id: str, command: Command) -> tuple[Aggregate[Any, Any, Any], UUID]:
    """Give the stream that a command is about; raises Misrouted."""
    match command:
        case ReserveStock(sku=sku) | ReleaseStock(sku=sku) | DispatchStock(sku=sku):
            return STOCK, stock_id(tenant_id, sku)
        case ConfirmOrder(order_id=order_id) | CancelOrder(order_id=order_id) | CompleteOrder(order_id=order_id):
            return ORDER, order_id
        case AuthorisePayment() | CapturePayment() | VoidPayment() | RefundPayment() | NotifyCustomer():
            raise Misrouted(command.type)
        case _:
            return PAYMENT, payment_id(command.order_id)
