"""Facts about the payment of an order. Voided and refunded money never exceeds what was authorised and captured."""

from typing import Literal
from uuid import UUID

from schemas.base import Identifier, Message
from schemas.events.order import PaymentToken
from schemas.money import Money

RefundReason = Literal["customer_request", "damaged", "late", "goodwill"]


class PaymentRequested(Message):
    """The one attempt to authorise this payment; its stream id is the acquirer's idempotency key."""

    type: Literal["payment.requested.v1"] = "payment.requested.v1"
    order_id: UUID
    amount: Money
    payment_token: PaymentToken


class PaymentAuthorised(Message):
    type: Literal["payment.authorised.v1"] = "payment.authorised.v1"
    order_id: UUID
    amount: Money
    acquirer_reference: Identifier


class PaymentDeclined(Message):
    type: Literal["payment.declined.v1"] = "payment.declined.v1"
    order_id: UUID
    code: Identifier
    """The acquirer's reason, for example `insufficient_funds`."""


class PaymentCaptured(Message):
    type: Literal["payment.captured.v1"] = "payment.captured.v1"
    order_id: UUID
    capture_id: UUID
    """The shipment that the money is for."""
    amount: Money


class CaptureRefused(Message):
    type: Literal["payment.capture_refused.v1"] = "payment.capture_refused.v1"
    order_id: UUID
    capture_id: UUID
    code: Identifier


class PaymentVoided(Message):
    """The acquirer holds nothing for this payment and will refuse to authorise it later."""

    type: Literal["payment.voided.v1"] = "payment.voided.v1"
    order_id: UUID


class RefundRequested(Message):
    type: Literal["payment.refund_requested.v1"] = "payment.refund_requested.v1"
    order_id: UUID
    refund_id: UUID
    amount: Money
    reason: RefundReason


class PaymentRefunded(Message):
    type: Literal["payment.refunded.v1"] = "payment.refunded.v1"
    order_id: UUID
    refund_id: UUID
    amount: Money


class RefundRefused(Message):
    """The acquirer would not refund; the amount can be asked for again."""

    type: Literal["payment.refund_refused.v1"] = "payment.refund_refused.v1"
    order_id: UUID
    refund_id: UUID
    code: Identifier


PaymentEvent = (
    PaymentRequested
    | PaymentAuthorised
    | PaymentDeclined
    | PaymentCaptured
    | CaptureRefused
    | PaymentVoided
    | RefundRequested
    | PaymentRefunded
    | RefundRefused
)
