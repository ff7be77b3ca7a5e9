"""One line of the order list."""

from datetime import UTC, datetime
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
    is_order_event,
)
from schemas.events.payment import PaymentEvent, is_payment_event
from schemas.personal import Findable
from schemas.recorded import Recorded
from schemas.search import search_words, without_blind
from schemas.views import NO_CURRENCY, OrderSummary, PaymentDetail

_NOBODY: Final = UUID(int=0)
_UNPAID: Final = PaymentDetail()
_BLANK: Final = OrderSummary(
    order_id=_NOBODY,
    tenant_id="nobody",
    customer_id=_NOBODY,
    status="placed",
    payment_status="none",
    total_amount=0,
    currency=NO_CURRENCY,
    line_count=0,
    item_count=0,
    first_line="",
    placed_at=datetime.min.replace(tzinfo=UTC),
    updated_at=datetime.min.replace(tzinfo=UTC),
    search_text="",
    version=0,
)


def summarise(row: OrderSummary | None, key: Key, recorded: Recorded) -> OrderSummary | None:
    del key
    event = recorded.event
    if is_order_event(event):
        return _order(row, event, recorded)
    if is_payment_event(event):
        return _payment(row or _unplaced(event.order_id, recorded), event, recorded)
    return row


def _order(row: OrderSummary | None, event: OrderEvent, recorded: Recorded) -> OrderSummary:
    if isinstance(event, OrderPlaced):
        return _placed(row or _unplaced(recorded.stream_id, recorded), event, recorded)
    if row is None or row.version == 0:
        raise EventMissing(recorded)
    return row.but(
        {
            "status": status_after(event) or row.status,
            "updated_at": max(row.updated_at, recorded.occurred_at),
            "version": recorded.version,
            **_changes(row, event, recorded),
        }
    )


def _changes(row: OrderSummary, event: OrderEvent, recorded: Recorded) -> dict[str, Any]:
    match event:
        case OrderCancelled():
            return {"cancel_reason": event.reason}
        case OrderShipped():
            shipped = row.shipped_count + sum(pick.quantity for pick in event.picks)
            return {"shipped_count": shipped, "shipped_at": recorded.occurred_at}
        case OrderDelivered():
            return {"delivered_at": recorded.occurred_at} if event.final else {}
        case OrderPlaced() | OrderConfirmed() | OrderCompleted():
            return {}
        case ContactErased():
            return {"sealed": None, "search_text": without_blind(row.search_text)}
    assert_never(event)


def _unplaced(order_id: UUID, recorded: Recorded) -> OrderSummary:
    """Give the row of an order that has not been heard of itself yet; see `schemas.views` on version 0."""
    return _BLANK.but(
        {
            "order_id": order_id,
            "tenant_id": recorded.tenant_id,
            "placed_at": recorded.occurred_at,
            "updated_at": recorded.occurred_at,
        }
    )


def _placed(row: OrderSummary, event: OrderPlaced, recorded: Recorded) -> OrderSummary:
    findable = (
        str(row.order_id),
        *(text for line in event.lines for text in (line.sku, line.name)),
    )
    contact = event.contact
    words = contact.words if isinstance(contact, Findable) else ()
    return row.but(
        {
            "customer_id": event.customer_id,
            "sealed": contact.kept(),
            "total_amount": event.total.amount,
            "currency": event.total.currency,
            "line_count": len(event.lines),
            "item_count": sum(line.quantity for line in event.lines),
            "first_line": event.lines[0].name,
            "placed_at": recorded.occurred_at,
            "updated_at": max(row.updated_at, recorded.occurred_at),
            "search_text": " ".join((*search_words(" ".join(findable)), *words)),
            "version": recorded.version,
        }
    )


def _payment(row: OrderSummary, event: PaymentEvent, recorded: Recorded) -> OrderSummary:
    before = _UNPAID.but(
        {
            "status": row.payment_status,
            "authorised": row.authorised_amount,
            "captured": row.captured_amount,
            "refunded": row.refunded_amount,
        }
    )
    after = settle(before, event)
    return row.but(
        {
            "payment_status": after.status,
            "authorised_amount": after.authorised,
            "captured_amount": after.captured,
            "refunded_amount": after.refunded,
            "updated_at": max(row.updated_at, recorded.occurred_at),
        }
    )


ORDER_SUMMARIES: Final = ReadModel(
    name="order_summaries",
    categories=frozenset({"order", "payment"}),
    row=OrderSummary,
    key=("order_id",),
    keys=order_keys,
    fold=summarise,
    writers=order_and_payment,
)
