"""What may happen to an order. Races between cancelling, paying and shipping are decided here, by what came first."""

from typing import assert_never

from domain.defects import OrderNotDelivered
from domain.errors import (
    OrderAlreadyPlaced,
    OrderAlreadyShipped,
    OrderClosed,
    OrderNotFound,
    OrderStillOpen,
    ShipmentNotFound,
)
from domain.order.commands import (
    CancelAnyOrder,
    CancelOwnOrder,
    EraseContact,
    OrderCommand,
    PlaceOrder,
    RecordDelivery,
    RecordShipment,
)
from domain.order.placing import place
from domain.order.shipping import ship
from domain.order.state import Order
from schemas.commands import CancelOrder, CompleteOrder, ConfirmOrder
from schemas.events.order import (
    CancelReason,
    ContactErased,
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderDelivered,
    OrderEvent,
)


def decide(order: Order | None, command: OrderCommand) -> list[OrderEvent]:
    if isinstance(command, PlaceOrder):
        if order is not None:
            raise OrderAlreadyPlaced
        return [place(command)]
    if order is None:
        raise OrderNotFound
    match command:
        case CancelOwnOrder(customer_id=customer_id):
            if customer_id != order.customer_id:
                raise OrderNotFound
            return _cancel_if_possible(order, "customer_request")
        case CancelAnyOrder(reason=reason):
            return _cancel_if_possible(order, reason)
        case CancelOrder(reason=reason):
            return _cancel(order, reason)
        case ConfirmOrder():
            return [OrderConfirmed(lines=order.lines, total=order.total)] if order.status == "placed" else []
        case RecordShipment():
            return ship(order, command)
        case RecordDelivery():
            return _deliver(order, command)
        case CompleteOrder():
            return _complete(order)
        case EraseContact():
            return _erase(order)
    assert_never(command)


def _cancel(order: Order, reason: CancelReason) -> list[OrderEvent]:
    """Cancel while nothing has shipped; afterwards there is nothing to do, and the process reads that in the events."""
    if order.status not in {"placed", "confirmed"}:
        return []
    confirmed = order.status == "confirmed"
    return [OrderCancelled(reason=reason, confirmed=confirmed, lines=order.lines, total=order.total)]


def _cancel_if_possible(order: Order, reason: CancelReason) -> list[OrderEvent]:
    match order.status:
        case "placed" | "confirmed" | "cancelled":
            return _cancel(order, reason)
        case "partly_shipped" | "shipped" | "delivered":
            raise OrderAlreadyShipped
        case "completed":
            raise OrderClosed(order.status)
    assert_never(order.status)


def _deliver(order: Order, command: RecordDelivery) -> list[OrderEvent]:
    if command.shipment_id not in order.shipments:
        raise ShipmentNotFound
    if command.shipment_id in order.delivered:
        return []
    final = not order.unshipped and order.shipments == order.delivered | {command.shipment_id}
    return [OrderDelivered(shipment_id=command.shipment_id, final=final)]


def _erase(order: Order) -> list[OrderEvent]:
    if order.status not in {"completed", "cancelled"}:
        raise OrderStillOpen(order.status)
    return [] if order.contact_erased else [ContactErased()]


def _complete(order: Order) -> list[OrderEvent]:
    match order.status:
        case "delivered":
            return [OrderCompleted()]
        case "completed":
            return []
        case "placed" | "confirmed" | "partly_shipped" | "shipped" | "cancelled":
            raise OrderNotDelivered(order.status)
    assert_never(order.status)
