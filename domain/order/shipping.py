"""How an order leaves in parts that add up to it, in pieces and in money."""

from collections.abc import Mapping
from typing import assert_never

from domain.errors import NothingLeftToShip, OrderClosed, OrderNotConfirmed, PickExceedsOrder
from domain.order.commands import RecordShipment
from domain.order.placing import refuse_duplicates
from domain.order.state import Order
from schemas.events.order import OrderEvent, OrderShipped, Pick
from schemas.money import Money


def ship(order: Order, command: RecordShipment) -> list[OrderEvent]:
    """Ship what was picked. The amounts of all shipments add up to the order's total; the last one is final."""
    if command.shipment_id in order.shipments:
        return []
    _shippable(order)
    picks = command.picks or tuple(Pick(sku=sku, quantity=left) for sku, left in order.unshipped.items())
    picked = _picked(order, picks)
    amount = sum(line.unit_price * picked.get(line.sku, 0) for line in order.lines)
    return [
        OrderShipped(
            shipment_id=command.shipment_id,
            carrier=command.carrier,
            tracking=command.tracking,
            picks=picks,
            amount=Money(amount=amount, currency=order.total.currency),
            final=picked == order.unshipped,
        )
    ]


def _shippable(order: Order) -> None:
    match order.status:
        case "placed":
            raise OrderNotConfirmed
        case "cancelled":
            raise OrderClosed(order.status)
        case "shipped" | "delivered" | "completed":
            raise NothingLeftToShip(order.status)
        case "confirmed" | "partly_shipped":
            return
    assert_never(order.status)


def _picked(order: Order, picks: tuple[Pick, ...]) -> Mapping[str, int]:
    refuse_duplicates(pick.sku for pick in picks)
    for pick in picks:
        left = order.unshipped.get(pick.sku, 0)
        if pick.quantity > left:
            raise PickExceedsOrder(pick.sku, asked=pick.quantity, left=left)
    return {pick.sku: pick.quantity for pick in picks}
