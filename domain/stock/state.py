"""What the past of one SKU's stock decides about its future: counts, and the orders that are not finished here."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never
from uuid import UUID

from schemas.events.stock import (
    StockAdjusted,
    StockDispatched,
    StockEvent,
    StockReceived,
    StockReleased,
    StockReserved,
    StockShort,
)


@dataclass(frozen=True, slots=True)
class Hold:
    """What an order has set aside and not yet dispatched: more than 0."""

    quantity: int
    shipments: frozenset[UUID] = frozenset()
    """Those that took their part."""


@dataclass(frozen=True, slots=True)
class Stock:
    """0 <= reserved <= on_hand, always.

    An order is remembered from its first event here to its last (released, or dispatched in full), so the state is
    as large as the number of open orders. That a message of a finished order is never decided on a second time is
    the promise of the log, which knows every message id for ever (see the ADR on forgetting finished orders).
    """

    on_hand: int = 0
    reserved: int = 0
    """Sum of the holds."""
    holds: Mapping[UUID, Hold] = field(default_factory=dict)
    short: frozenset[UUID] = frozenset()
    """Orders that were refused a reservation; their release is still to come."""
    released: frozenset[UUID] = frozenset()
    """Orders that were released first; their reservation is still to come, and will be refused."""

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved


def evolve(stock: Stock | None, event: StockEvent) -> Stock:
    current = Stock() if stock is None else stock
    match event:
        case StockReceived(quantity=quantity):
            return replace(current, on_hand=current.on_hand + quantity)
        case StockAdjusted(delta=delta):
            return replace(current, on_hand=current.on_hand + delta)
        case StockReserved(order_id=order_id, quantity=quantity):
            return replace(
                current, reserved=current.reserved + quantity, holds={**current.holds, order_id: Hold(quantity)}
            )
        case StockShort(order_id=order_id) if order_id in current.released:
            return replace(current, released=current.released - {order_id})
        case StockShort(order_id=order_id):
            return replace(current, short=current.short | {order_id})
        case StockReleased(order_id=order_id):
            return _released(current, order_id)
        case StockDispatched():
            return _dispatched(current, event)
    assert_never(event)


def _released(stock: Stock, order_id: UUID) -> Stock:
    hold = stock.holds.get(order_id)
    if hold is not None:
        return replace(stock, reserved=stock.reserved - hold.quantity, holds=_without(stock.holds, order_id))
    if order_id in stock.short:
        return replace(stock, short=stock.short - {order_id})
    return replace(stock, released=stock.released | {order_id})


def _dispatched(stock: Stock, event: StockDispatched) -> Stock:
    hold = stock.holds[event.order_id]
    left = hold.quantity - event.quantity
    holds = _without(stock.holds, event.order_id)
    if left:
        holds = {**holds, event.order_id: Hold(left, hold.shipments | {event.shipment_id})}
    return replace(stock, on_hand=stock.on_hand - event.quantity, reserved=stock.reserved - event.quantity, holds=holds)


def _without(holds: Mapping[UUID, Hold], order_id: UUID) -> dict[UUID, Hold]:
    return {holder: hold for holder, hold in holds.items() if holder != order_id}
