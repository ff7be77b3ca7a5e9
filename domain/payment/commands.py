"""What staff and the fulfilment of orders ask of a payment, and what the acquirer answered."""

from uuid import UUID

from schemas.base import Message
from schemas.commands import (
    RecordAuthorisation,
    RecordCapture,
    RecordCaptureRefusal,
    RecordDecline,
    RecordRefund,
    RecordRefundRefusal,
    RecordVoid,
    RequestPayment,
)
from schemas.events.payment import RefundReason
from schemas.money import Money


class AskRefund(Message):
    refund_id: UUID
    amount: Money
    reason: RefundReason


PaymentCommand = (
    AskRefund
    | RequestPayment
    | RecordAuthorisation
    | RecordDecline
    | RecordCapture
    | RecordCaptureRefusal
    | RecordVoid
    | RecordRefund
    | RecordRefundRefusal
)
