"""What an order's past decides about its future."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, assert_never
from uuid import UUID

from domain.aggregate import known
from schemas.events.order import (
    ContactErased,
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderDelivered,
    OrderEvent,
    OrderLine,
    OrderPlaced,
    OrderShipped,
)
from schemas.money import Money

Status = Literal["placed", "confirmed", "partly_shipped", "shipped", "delivered", "completed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Order:
    """Only what `decide` needs, so nothing personal; what a screen needs belongs to a projection."""

    customer_id: UUID
    lines: tuple[OrderLine, ...]
    total: Money
    unshipped: Mapping[str, int]
    """SKU -> how many are left to ship, more than 0."""
    shipments: frozenset[UUID] = frozenset()
    delivered: frozenset[UUID] = frozenset()
    """Those of `shipments` that arrived."""
    status: Status = "placed"
    contact_erased: bool = False


def evolve(order: Order | None, event: OrderEvent) -> Order:
    match event:
        case OrderPlaced(customer_id=customer_id, lines=lines, total=total):
            return Order(customer_id, lines, total, {line.sku: line.quantity for line in lines})
        case OrderConfirmed():
            return replace(known(order), status="confirmed")
        case OrderCancelled():
            return replace(known(order), status="cancelled")
        case OrderShipped():
            return _shipped(known(order), event)
        case OrderDelivered():
            return _delivered(known(order), event)
        case OrderCompleted():
            return replace(known(order), status="completed")
        case ContactErased():
            return replace(known(order), contact_erased=True)
    assert_never(event)


def _shipped(order: Order, event: OrderShipped) -> Order:
    picked = {pick.sku: pick.quantity for pick in event.picks}
    left = {sku: quantity - picked.get(sku, 0) for sku, quantity in order.unshipped.items()}
    return replace(
        order,
        unshipped={sku: quantity for sku, quantity in left.items() if quantity},
        shipments=order.shipments | {event.shipment_id},
        status="shipped" if event.final else "partly_shipped",
    )


def _delivered(order: Order, event: OrderDelivered) -> Order:
    status: Status = "delivered" if event.final else order.status
    return replace(order, delivered=order.delivered | {event.shipment_id}, status=status)
