"""What may happen to the stock of one SKU. Never oversold: a reservation takes only what is available."""

from typing import Final, assert_never

from domain.defects import StockNotReserved
from domain.errors import AdjustmentBelowReserved, StockLimitExceeded, StockNotFound
from domain.stock.commands import AdjustStock, ReceiveStock, StockCommand
from domain.stock.state import Hold, Stock
from schemas.commands import DispatchStock, ReleaseStock, ReserveStock
from schemas.events.stock import (
    StockAdjusted,
    StockDispatched,
    StockEvent,
    StockReceived,
    StockReleased,
    StockReserved,
    StockShort,
)

MAX_ON_HAND: Final = 10**9
"""Largest count of one SKU; fits the 32-bit integers of the read models."""


def decide(stock: Stock | None, command: StockCommand) -> list[StockEvent]:
    current = Stock() if stock is None else stock
    match command:
        case ReceiveStock(sku=sku, quantity=quantity, reference=reference):
            _within_limit(sku, current.on_hand + quantity)
            return [StockReceived(sku=sku, quantity=quantity, reference=reference)]
        case AdjustStock():
            return _adjust(stock, command)
        case ReserveStock():
            return _reserve(current, command)
        case ReleaseStock():
            return _release(current, command)
        case DispatchStock():
            return _dispatch(current, command)
    assert_never(command)


def _adjust(stock: Stock | None, command: AdjustStock) -> list[StockEvent]:
    if stock is None:
        raise StockNotFound(command.sku)
    if command.delta == 0:
        return []
    on_hand = stock.on_hand + command.delta
    if on_hand < stock.reserved:
        raise AdjustmentBelowReserved(command.sku, on_hand, stock.reserved)
    _within_limit(command.sku, on_hand)
    return [StockAdjusted(sku=command.sku, delta=command.delta, reason=command.reason)]


def _reserve(stock: Stock, command: ReserveStock) -> list[StockEvent]:
    sku, order_id, quantity = command.sku, command.order_id, command.quantity
    if order_id in stock.holds or order_id in stock.short:
        return []
    if order_id in stock.released or quantity > stock.available:
        return [StockShort(sku=sku, order_id=order_id, quantity=quantity, available=stock.available)]
    return [StockReserved(sku=sku, order_id=order_id, quantity=quantity)]


def _release(stock: Stock, command: ReleaseStock) -> list[StockEvent]:
    if command.order_id in stock.released:
        return []
    held = stock.holds.get(command.order_id, Hold(0)).quantity
    return [StockReleased(sku=command.sku, order_id=command.order_id, quantity=held)]


def _dispatch(stock: Stock, command: DispatchStock) -> list[StockEvent]:
    hold = stock.holds.get(command.order_id, Hold(0))
    if command.shipment_id in hold.shipments:
        return []
    if command.quantity > hold.quantity:
        raise StockNotReserved(command.sku, asked=command.quantity, held=hold.quantity)
    return [
        StockDispatched(
            sku=command.sku, order_id=command.order_id, shipment_id=command.shipment_id, quantity=command.quantity
        )
    ]


def _within_limit(sku: str, on_hand: int) -> None:
    if on_hand > MAX_ON_HAND:
        raise StockLimitExceeded(sku, MAX_ON_HAND)
