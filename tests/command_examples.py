"""A named example of every command that travels over the bus, about the same order as in `tests.examples`."""

from datetime import datetime
from typing import Final
from uuid import UUID

from schemas.base import Trace
from schemas.commands import (
    AuthorisePayment,
    CancelOrder,
    CapturePayment,
    Command,
    CompleteOrder,
    ConfirmOrder,
    DispatchStock,
    NotifyCustomer,
    RecordAuthorisation,
    RecordCapture,
    RecordCaptureRefusal,
    RecordDecline,
    RecordRefund,
    RecordRefundRefusal,
    RecordVoid,
    RefundPayment,
    ReleaseStock,
    RequestPayment,
    ReserveStock,
    Sent,
    VoidPayment,
)
from schemas.events.order import CancelReason
from schemas.ids import message_id, payment_id
from schemas.money import Money
from tests.examples import NOON, ORDER_ID, REFUND_ID, SHIPMENT_ID, SKU, TENANT, TOKEN, TOTAL, a_pick, uuid


def reserve(quantity: int = 2, order_id: UUID = ORDER_ID, sku: str = SKU) -> ReserveStock:
    return ReserveStock(sku=sku, order_id=order_id, quantity=quantity)


def release(order_id: UUID = ORDER_ID, sku: str = SKU) -> ReleaseStock:
    return ReleaseStock(sku=sku, order_id=order_id)


def dispatch(
    quantity: int = 2, order_id: UUID = ORDER_ID, shipment_id: UUID = SHIPMENT_ID, sku: str = SKU
) -> DispatchStock:
    return DispatchStock(sku=sku, order_id=order_id, shipment_id=shipment_id, quantity=quantity)


def confirm(order_id: UUID = ORDER_ID) -> ConfirmOrder:
    return ConfirmOrder(order_id=order_id)


def cancel(reason: CancelReason = "out_of_stock", order_id: UUID = ORDER_ID) -> CancelOrder:
    return CancelOrder(order_id=order_id, reason=reason)


def complete(order_id: UUID = ORDER_ID) -> CompleteOrder:
    return CompleteOrder(order_id=order_id)


def request_payment(amount: Money = TOTAL, order_id: UUID = ORDER_ID) -> RequestPayment:
    return RequestPayment(order_id=order_id, amount=amount, payment_token=TOKEN)


def record_authorisation(amount: Money = TOTAL, order_id: UUID = ORDER_ID) -> RecordAuthorisation:
    return RecordAuthorisation(order_id=order_id, amount=amount, acquirer_reference="acq-7001")


def record_decline(code: str = "insufficient_funds", order_id: UUID = ORDER_ID) -> RecordDecline:
    return RecordDecline(order_id=order_id, code=code)


def record_capture(amount: Money = TOTAL, capture_id: UUID = SHIPMENT_ID, order_id: UUID = ORDER_ID) -> RecordCapture:
    return RecordCapture(order_id=order_id, capture_id=capture_id, amount=amount)


def record_capture_refusal(capture_id: UUID = SHIPMENT_ID, order_id: UUID = ORDER_ID) -> RecordCaptureRefusal:
    return RecordCaptureRefusal(order_id=order_id, capture_id=capture_id, code="expired_authorisation")


def record_void(order_id: UUID = ORDER_ID) -> RecordVoid:
    return RecordVoid(order_id=order_id)


def record_refund(amount: Money = TOTAL, refund_id: UUID = REFUND_ID, order_id: UUID = ORDER_ID) -> RecordRefund:
    return RecordRefund(order_id=order_id, refund_id=refund_id, amount=amount)


def record_refund_refusal(refund_id: UUID = REFUND_ID, order_id: UUID = ORDER_ID) -> RecordRefundRefusal:
    return RecordRefundRefusal(order_id=order_id, refund_id=refund_id, code="account_closed")


def authorise(amount: Money = TOTAL, order_id: UUID = ORDER_ID, payment_token: str = TOKEN) -> AuthorisePayment:
    return AuthorisePayment(
        order_id=order_id, payment_id=payment_id(order_id), amount=amount, payment_token=payment_token
    )


def capture(amount: Money = TOTAL, capture_id: UUID = SHIPMENT_ID, order_id: UUID = ORDER_ID) -> CapturePayment:
    return CapturePayment(order_id=order_id, payment_id=payment_id(order_id), capture_id=capture_id, amount=amount)


def void(order_id: UUID = ORDER_ID) -> VoidPayment:
    return VoidPayment(order_id=order_id, payment_id=payment_id(order_id))


def refund(amount: Money = TOTAL, refund_id: UUID = REFUND_ID, order_id: UUID = ORDER_ID) -> RefundPayment:
    return RefundPayment(order_id=order_id, payment_id=payment_id(order_id), refund_id=refund_id, amount=amount)


def notify(order_id: UUID = ORDER_ID) -> NotifyCustomer:
    return NotifyCustomer(order_id=order_id, template="order_shipped", event_id=uuid("event"), picks=(a_pick(),))


COMMANDS: Final[tuple[Command, ...]] = (
    reserve(),
    release(),
    dispatch(),
    confirm(),
    cancel(),
    complete(),
    request_payment(),
    record_authorisation(),
    record_decline(),
    record_capture(),
    record_capture_refusal(),
    record_void(),
    record_refund(),
    record_refund_refusal(),
    authorise(),
    capture(),
    void(),
    refund(),
    notify(),
)
"""One of each."""


def sent(command: Command, *, cause: UUID | None = None, sent_at: datetime = NOON) -> Sent:
    """Give the command in its envelope, as the process of the order would send it because of `cause`."""
    because = cause or uuid("event")
    return Sent(
        message_id=message_id(because, command.type),
        tenant_id=TENANT,
        actor="process:order_fulfilment",
        trace=Trace(correlation_id=uuid("correlation"), causation_id=because),
        sent_at=sent_at,
        command=command,
    )
