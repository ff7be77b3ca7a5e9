"""Who gets a message, and how the payment worker answers one."""

from typing import Any
from uuid import UUID

from domain.aggregate import Aggregate
from domain.aggregates import ORDER, PAYMENT, STOCK
from schemas.base import Trace
from schemas.commands import Command, Sent
from schemas.ids import message_id, payment_id, stock_id
from tests.examples import TENANT


def addressee(command: Command) -> tuple[Aggregate[Any, Any, Any], UUID]:
    sku = getattr(command, "sku", None)
    if sku is not None:
        return STOCK, stock_id(TENANT, sku)
    if command.type.startswith("order."):
        return ORDER, command.order_id
    return PAYMENT, payment_id(command.order_id)


def caused_by(sent: Sent) -> Trace:
    return sent.trace.model_copy(update={"causation_id": sent.message_id})


def reply_of(sent: Sent, result: Command) -> Sent:
    return sent.model_copy(
        update={
            "message_id": message_id(sent.message_id, result.type),
            "actor": "worker:payment",
            "trace": caused_by(sent),
            "command": result,
        }
    )
