"""What must have been asked for an event to be recorded: the way back from a fact to its command."""

from typing import assert_never
from uuid import UUID

from domain.order.commands import (
    CancelAnyOrder,
    EraseContact,
    OrderCommand,
    PlaceOrder,
    QuotedLine,
    RecordDelivery,
    RecordShipment,
)
from domain.payment.commands import AskRefund, PaymentCommand
from domain.product.commands import ListProduct, ProductCommand, RepriceProduct, RetireProduct
from domain.stock.commands import AdjustStock, ReceiveStock, StockCommand
from schemas.commands import (
    CancelOrder,
    CompleteOrder,
    ConfirmOrder,
    DispatchStock,
    RecordAuthorisation,
    RecordCapture,
    RecordCaptureRefusal,
    RecordDecline,
    RecordRefund,
    RecordRefundRefusal,
    RecordVoid,
    ReleaseStock,
    RequestPayment,
    ReserveStock,
)
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
from schemas.events.product import ProductEvent, ProductListed, ProductRepriced, ProductRetired
from schemas.events.stock import (
    StockAdjusted,
    StockDispatched,
    StockEvent,
    StockReceived,
    StockReleased,
    StockReserved,
    StockShort,
)
from schemas.money import Money

AnyCommand = ProductCommand | StockCommand | OrderCommand | PaymentCommand


def asked_for(event: Event, order_id: UUID) -> AnyCommand:
    """Give the command; on the state before the event it is decided as the event, unless a rule has changed.

    `order_id` is the stream of an event of an order, which does not name it. Who cancelled is not asked again: a
    customer's wish and one for a customer come to the same.
    """
    if isinstance(event, ProductEvent):
        return _of_a_product(event)
    if isinstance(event, StockEvent):
        return _of_stock(event)
    if isinstance(event, OrderEvent):
        return _of_an_order(event, order_id)
    return _of_a_payment(event)


def _of_a_product(event: ProductEvent) -> ProductCommand:
    match event:
        case ProductListed():
            return ListProduct(sku=event.sku, name=event.name, description=event.description, price=event.price)
        case ProductRepriced():
            return RepriceProduct(sku=event.sku, price=event.price)
        case ProductRetired():
            return RetireProduct(sku=event.sku)
    assert_never(event)


def _of_stock(event: StockEvent) -> StockCommand:
    match event:
        case StockReceived():
            return ReceiveStock(sku=event.sku, quantity=event.quantity, reference=event.reference)
        case StockAdjusted():
            return AdjustStock(sku=event.sku, delta=event.delta, reason=event.reason)
        case StockReserved() | StockShort():
            return ReserveStock(sku=event.sku, order_id=event.order_id, quantity=event.quantity)
        case StockReleased():
            return ReleaseStock(sku=event.sku, order_id=event.order_id)
        case StockDispatched():
            return DispatchStock(
                sku=event.sku, order_id=event.order_id, shipment_id=event.shipment_id, quantity=event.quantity
            )
    assert_never(event)


def _of_an_order(event: OrderEvent, order_id: UUID) -> OrderCommand:
    match event:
        case OrderPlaced():
            return _placing(event)
        case OrderConfirmed():
            return ConfirmOrder(order_id=order_id)
        case OrderCancelled(reason="customer_request" | "staff_decision" as reason):
            return CancelAnyOrder(reason=reason)
        case OrderCancelled(reason=reason):
            return CancelOrder(order_id=order_id, reason=reason)
        case OrderShipped():
            return RecordShipment(
                shipment_id=event.shipment_id, carrier=event.carrier, tracking=event.tracking, picks=event.picks
            )
        case OrderDelivered():
            return RecordDelivery(shipment_id=event.shipment_id)
        case OrderCompleted():
            return CompleteOrder(order_id=order_id)
        case ContactErased():
            return EraseContact()
    assert_never(event)


def _placing(event: OrderPlaced) -> PlaceOrder:
    return PlaceOrder(
        customer_id=event.customer_id,
        contact=event.contact,
        locale=event.locale,
        lines=tuple(
            QuotedLine(
                sku=line.sku,
                name=line.name,
                quantity=line.quantity,
                unit_price=Money(amount=line.unit_price, currency=event.total.currency),
                product_version=line.product_version,
            )
            for line in event.lines
        ),
        payment_token=event.payment_token,
    )


def _of_a_payment(event: PaymentEvent) -> PaymentCommand:
    order_id = event.order_id
    match event:
        case PaymentRequested():
            return RequestPayment(order_id=order_id, amount=event.amount, payment_token=event.payment_token)
        case PaymentAuthorised():
            return RecordAuthorisation(
                order_id=order_id, amount=event.amount, acquirer_reference=event.acquirer_reference
            )
        case PaymentDeclined():
            return RecordDecline(order_id=order_id, code=event.code)
        case PaymentCaptured():
            return RecordCapture(order_id=order_id, capture_id=event.capture_id, amount=event.amount)
        case CaptureRefused():
            return RecordCaptureRefusal(order_id=order_id, capture_id=event.capture_id, code=event.code)
        case PaymentVoided():
            return RecordVoid(order_id=order_id)
        case RefundRequested():
            return AskRefund(refund_id=event.refund_id, amount=event.amount, reason=event.reason)
        case PaymentRefunded():
            return RecordRefund(order_id=order_id, refund_id=event.refund_id, amount=event.amount)
        case RefundRefused():
            return RecordRefundRefusal(order_id=order_id, refund_id=event.refund_id, code=event.code)
    assert_never(event)
