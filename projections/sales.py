"""Confirmed sales by hour, and by day and product; what `schemas.views.SalesHour` says about booking holds for both."""

from datetime import UTC
from typing import Final, assert_never

from projections.read_model import Key, ReadModel
from schemas.events import Event
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
from schemas.recorded import Recorded
from schemas.views import SalesHour, SalesProduct

Sale = OrderConfirmed | OrderCancelled


def sale_of(event: Event) -> tuple[int, Sale] | None:
    """Give an event that changes the sales figures, and 1 when it adds to them or -1 when it takes back."""
    if not isinstance(event, OrderEvent):
        return None
    match event:
        case OrderConfirmed():
            return 1, event
        case OrderCancelled():
            return (-1, event) if event.confirmed else None
        case OrderPlaced() | OrderShipped() | OrderDelivered() | OrderCompleted() | ContactErased():
            return None
    assert_never(event)


def hour_keys(recorded: Recorded) -> tuple[Key, ...]:
    sale = sale_of(recorded.event)
    if sale is None:
        return ()
    hour = recorded.occurred_at.replace(minute=0, second=0, microsecond=0)
    return ((recorded.tenant_id, hour, sale[1].total.currency),)


def book_hour(row: SalesHour | None, key: Key, recorded: Recorded) -> SalesHour | None:
    sale = sale_of(recorded.event)
    if sale is None:
        return row
    sign, event = sale
    tenant_id, hour, currency = key
    known = row or SalesHour.model_validate(
        {"tenant_id": tenant_id, "hour": hour, "currency": currency, "orders": 0, "items": 0, "revenue": 0}
    )
    return known.but(
        {
            "orders": known.orders + sign,
            "items": known.items + sign * sum(line.quantity for line in event.lines),
            "revenue": known.revenue + sign * event.total.amount,
        }
    )


def product_keys(recorded: Recorded) -> tuple[Key, ...]:
    sale = sale_of(recorded.event)
    if sale is None:
        return ()
    event, day = sale[1], recorded.occurred_at.astimezone(UTC).date()
    return tuple((recorded.tenant_id, day, line.sku, event.total.currency) for line in event.lines)


def book_product(row: SalesProduct | None, key: Key, recorded: Recorded) -> SalesProduct | None:
    sale = sale_of(recorded.event)
    if sale is None:
        return row
    sign, event = sale
    tenant_id, day, sku, currency = key
    line = next(line for line in event.lines if line.sku == sku)
    columns = {"tenant_id": tenant_id, "day": day, "sku": sku, "currency": currency}
    known = row or SalesProduct.model_validate({**columns, "orders": 0, "quantity": 0, "revenue": 0})
    return known.but(
        {
            "orders": known.orders + sign,
            "quantity": known.quantity + sign * line.quantity,
            "revenue": known.revenue + sign * line.quantity * line.unit_price,
        }
    )


SALES_HOURS: Final = ReadModel(
    name="sales_hours",
    categories=frozenset({"order"}),
    row=SalesHour,
    key=("tenant_id", "hour", "currency"),
    keys=hour_keys,
    fold=book_hour,
)
SALES_PRODUCTS: Final = ReadModel(
    name="sales_products",
    categories=frozenset({"order"}),
    row=SalesProduct,
    key=("tenant_id", "day", "sku", "currency"),
    keys=product_keys,
    fold=book_product,
)
