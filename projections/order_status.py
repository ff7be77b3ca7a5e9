"""The status of an order as people see it, wherever it is shown."""

from typing import assert_never

from schemas.events.order import (
    ContactErased,
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderDelivered,
    OrderEvent,
    OrderPlaced,
    OrderShipped,
)
from schemas.views import OrderStatus


def status_after(event: OrderEvent) -> OrderStatus | None:  # noqa: PLR0911  # one for each event
    """Give the status that an event leads to; None when it leaves the status as it was."""
    match event:
        case OrderPlaced():
            return "placed"
        case OrderConfirmed():
            return "confirmed"
        case OrderCancelled():
            return "cancelled"
        case OrderShipped():
            return "shipped" if event.final else "partly_shipped"
        case OrderDelivered():
            return "delivered" if event.final else None
        case OrderCompleted():
            return "completed"
        case ContactErased():
            return None
    assert_never(event)
