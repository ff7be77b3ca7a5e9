"""Everything about one order on one row."""

from collections.abc import Iterable
from typing import Any, Final, assert_never
from uuid import UUID

from projections.order_status import status_after
from projections.payment_detail import settle
from projections.read_model import EventMissing, Key, ReadModel, order_and_payment, order_keys
from schemas.events.order import (
    ContactErased,
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderDelivered,
    OrderEvent,
    OrderPlaced,
    OrderShipped,
    Pick,
    is_order_event,
)
from schemas.events.payment import is_payment_event
from schemas.recorded import Recorded
from schemas.views import NO_CURRENCY, DetailLine, OrderDetail, Shipment

_NOBODY: Final = UUID(int=0)


def detail(row: OrderDetail | None, key: Key, recorded: Recorded) -> OrderDetail | None:
    del key
    event = recorded.event
    if is_order_event(event):
        known = row or _unplaced(recorded.stream_id, recorded)
        if known.version == 0 and not isinstance(event, OrderPlaced):
            raise EventMissing(recorded)
        change = {"status": status_after(event) or known.status, "version": recorded.version}
        return _updated(known, recorded, change | _changes(known, event, recorded))
    if is_payment_event(event):
        known = row or _unplaced(event.order_id, recorded)
        return _updated(known, recorded, {"payment": settle(known.payment, event)})
    return row


def _updated(row: OrderDetail, recorded: Recorded, change: dict[str, Any]) -> OrderDetail:
    return row.but({"updated_at": max(row.updated_at, recorded.occurred_at), **change})


def _changes(  # noqa: PLR0911  # one for each event
    row: OrderDetail, event: OrderEvent, recorded: Recorded
) -> dict[str, Any]:
    happened = recorded.occurred_at
    match event:
        case OrderPlaced():
            return _placed(event) | {"placed_at": happened}
        case OrderConfirmed():
            return {"confirmed_at": happened}
        case OrderCancelled():
            return {"cancelled_at": happened, "cancel_reason": event.reason}
        case OrderShipped():
            return _shipped(row, event, recorded)
        case OrderDelivered():
            return _delivered(row, event, recorded)
        case OrderCompleted():
            return {"completed_at": happened}
        case ContactErased():
            return {"sealed": None}
    assert_never(event)


def _unplaced(order_id: UUID, recorded: Recorded) -> OrderDetail:
    """Give the row of an order that has not been heard of itself yet; see `schemas.views` on version 0."""
    return OrderDetail(
        order_id=order_id,
        tenant_id=recorded.tenant_id,
        customer_id=_NOBODY,
        locale="en",
        status="placed",
        lines=(),
        total_amount=0,
        currency=NO_CURRENCY,
        placed_at=recorded.occurred_at,
        updated_at=recorded.occurred_at,
        version=0,
    )


def _placed(event: OrderPlaced) -> dict[str, Any]:
    return {
        "customer_id": event.customer_id,
        "sealed": event.contact.kept(),
        "locale": event.locale,
        "lines": tuple(
            DetailLine(sku=line.sku, name=line.name, quantity=line.quantity, unit_price=line.unit_price)
            for line in event.lines
        ),
        "total_amount": event.total.amount,
        "currency": event.total.currency,
    }


def _shipped(row: OrderDetail, event: OrderShipped, recorded: Recorded) -> dict[str, Any]:
    shipment = Shipment(
        shipment_id=event.shipment_id,
        carrier=event.carrier,
        tracking=event.tracking,
        picks=event.picks,
        amount=event.amount,
        shipped_at=recorded.occurred_at,
    )
    return {"shipments": (*row.shipments, shipment), "lines": _counted(row.lines, event.picks, "shipped")}


def _delivered(row: OrderDetail, event: OrderDelivered, recorded: Recorded) -> dict[str, Any]:
    arrived = [shipment for shipment in row.shipments if shipment.shipment_id == event.shipment_id]
    picks = (pick for shipment in arrived for pick in shipment.picks)
    return {
        "shipments": tuple(
            shipment.but({"delivered_at": recorded.occurred_at}) if shipment in arrived else shipment
            for shipment in row.shipments
        ),
        "lines": _counted(row.lines, picks, "delivered"),
        "delivered_at": recorded.occurred_at if event.final else None,
    }


def _counted(lines: tuple[DetailLine, ...], picks: Iterable[Pick], column: str) -> tuple[DetailLine, ...]:
    """Add picked quantities to a column of the lines; an order has one line per SKU."""
    picked = {pick.sku: pick.quantity for pick in picks}
    return tuple(
        line.but({column: getattr(line, column) + picked[line.sku]}) if line.sku in picked else line for line in lines
    )


ORDER_DETAILS: Final = ReadModel(
    name="order_details",
    categories=frozenset({"order", "payment"}),
    row=OrderDetail,
    key=("order_id",),
    keys=order_keys,
    fold=detail,
    writers=order_and_payment,
)
