"""What each event says to the fulfilment of an order, and what it calls for by itself, whatever else is known."""

from dataclasses import replace
from typing import assert_never
from uuid import UUID

from process_managers.fulfilment_state import OrderFulfilment, Payment
from schemas.commands import CapturePayment, Command, DispatchStock, NotifyCustomer, RefundPayment
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
from schemas.events.payment import (
    CaptureRefused,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentDeclined,
    PaymentEvent,
    PaymentRefunded,
    PaymentRequested,
    PaymentVoided,
    RefundRefused,
    RefundRequested,
)
from schemas.events.product import ProductEvent
from schemas.events.stock import (
    StockAdjusted,
    StockDispatched,
    StockEvent,
    StockReceived,
    StockReleased,
    StockReserved,
    StockShort,
)
from schemas.ids import payment_id
from schemas.recorded import Recorded

Step = tuple[OrderFulfilment, tuple[Command, ...]]


def order_of(recorded: Recorded) -> UUID | None:
    """Name the order, and so the process, that an event is about; None for facts that concern no order."""
    event = recorded.event
    if isinstance(event, ProductEvent | StockReceived | StockAdjusted):
        return None
    return recorded.stream_id if isinstance(event, OrderEvent) else event.order_id


def note(process: OrderFulfilment, recorded: Recorded) -> Step:
    """Take one event into the state; the commands are those that this event alone calls for."""
    event = recorded.event
    if isinstance(event, ProductEvent):
        return process, ()
    if isinstance(event, StockEvent):
        return _note_stock(process, event), ()
    if isinstance(event, PaymentEvent):
        return _note_payment(process, event, recorded.event_id)
    return _note_order(process, event, recorded.event_id)


def _note_order(process: OrderFulfilment, event: OrderEvent, event_id: UUID) -> Step:
    order_id = process.order_id
    match event:
        case OrderPlaced() | ContactErased():
            return process, ()
        case OrderConfirmed():
            told = NotifyCustomer(order_id=order_id, template="order_confirmed", event_id=event_id)
            return replace(process, order="confirmed"), (told,)
        case OrderCancelled():
            told = NotifyCustomer(order_id=order_id, template="order_cancelled", event_id=event_id, reason=event.reason)
            return replace(process, order="cancelled"), (told,)
        case OrderShipped():
            return _note_shipment(process, event, event_id)
        case OrderDelivered():
            told = NotifyCustomer(order_id=order_id, template="order_delivered", event_id=event_id)
            return replace(process, all_delivered=event.final), (told,) if event.final else ()
        case OrderCompleted():
            return replace(process, order="completed"), ()
    assert_never(event)


def _note_shipment(process: OrderFulfilment, shipped: OrderShipped, event_id: UUID) -> Step:
    order_id, shipment_id = process.order_id, shipped.shipment_id
    capture = CapturePayment(
        order_id=order_id, payment_id=payment_id(order_id), capture_id=shipment_id, amount=shipped.amount
    )
    told = NotifyCustomer(order_id=order_id, template="order_shipped", event_id=event_id, picks=shipped.picks)
    dispatches = (
        DispatchStock(sku=pick.sku, order_id=order_id, shipment_id=shipment_id, quantity=pick.quantity)
        for pick in shipped.picks
    )
    noted = replace(process, shipments=(*process.shipments, shipment_id), all_shipped=shipped.final)
    return noted, (*dispatches, capture, told)


def _note_stock(process: OrderFulfilment, event: StockEvent) -> OrderFulfilment:
    match event:
        case StockReceived() | StockAdjusted() | StockDispatched():
            return process
        case StockReserved():
            # Also after a release: what is held again is released again.
            return process.with_stock(event.sku, "reserved", unless=("short", "releasing"))
        case StockShort():
            return process.with_stock(event.sku, "short", unless=("releasing", "released"))
        case StockReleased():
            return process.with_stock(event.sku, "released")
    assert_never(event)


def _note_payment(process: OrderFulfilment, event: PaymentEvent, event_id: UUID) -> Step:
    match event:
        case PaymentCaptured():
            return replace(process, captured=(*process.captured, event.capture_id)), ()
        case CaptureRefused():
            return replace(process, refused=(*process.refused, event.capture_id)), ()
        case RefundRequested() | PaymentRefunded() | RefundRefused():
            return _note_refund(process, event, event_id)
        case PaymentRequested() | PaymentAuthorised() | PaymentDeclined() | PaymentVoided():
            return replace(process, payment=_payment(process.payment, event)), ()
    assert_never(event)


def _payment(before: Payment, event: PaymentRequested | PaymentAuthorised | PaymentDeclined | PaymentVoided) -> Payment:
    match event:
        case PaymentRequested():
            return "requested" if before in ("none", "asked") else before
        case PaymentAuthorised():
            # Also after the end of the payment: what is held again is voided again.
            return "voiding" if before == "voiding" else "authorised"
        case PaymentDeclined():
            return "declined"
        case PaymentVoided():
            return "voided"
    assert_never(event)


def _note_refund(
    process: OrderFulfilment, event: RefundRequested | PaymentRefunded | RefundRefused, event_id: UUID
) -> Step:
    order_id, refund_id = process.order_id, event.refund_id
    others = tuple(open_id for open_id in process.refunds if open_id != refund_id)
    match event:
        case RefundRequested():
            refund = RefundPayment(
                order_id=order_id, payment_id=payment_id(order_id), refund_id=refund_id, amount=event.amount
            )
            return replace(process, refunds=(*others, refund_id)), (refund,)
        case PaymentRefunded():
            told = NotifyCustomer(
                order_id=order_id, template="payment_refunded", event_id=event_id, amount=event.amount
            )
            return replace(process, refunds=others), (told,)
        case RefundRefused():
            return replace(process, refunds=others), ()
    assert_never(event)
