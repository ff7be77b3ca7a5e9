"""Facts about the payment of an order. Voided and refunded money never exceeds what was authorised and captured."""

from collections.abc import Mapping
from typing import Final, Literal, get_args
from uuid import UUID

from typing_extensions import TypeIs

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
    """The acquirer holds the amount."""

    type: Literal["payment.authorised.v1"] = "payment.authorised.v1"
    order_id: UUID
    amount: Money
    acquirer_reference: Identifier
    """What the acquirer calls the authorisation."""


DeclineKind = Literal["funds", "card", "fraud", "unavailable", "other"]
"""What a customer can do about it: `funds` and `card`: pay with another card; `unavailable`: try again later."""
_KINDS: Final[Mapping[str, DeclineKind]] = {
    "insufficient_funds": "funds",
    "limit_exceeded": "funds",
    "declined": "card",
    "expired_card": "card",
    "lost_card": "card",
    "stolen_card": "fraud",
    "suspected_fraud": "fraud",
    "issuer_unavailable": "unavailable",
    "timeout": "unavailable",
}


def kind_of_decline(code: str) -> DeclineKind:
    """Sort an acquirer's code; one that is not known here is `other`."""
    return _KINDS.get(code, "other")


class PaymentDeclined(Message):
    """The acquirer holds nothing."""

    type: Literal["payment.declined.v2"] = "payment.declined.v2"
    order_id: UUID
    code: Identifier
    """The acquirer's reason, for example `insufficient_funds`."""
    kind: DeclineKind
    """What a customer can do about it: pay with another card for `funds` and `card`, try later for `unavailable`."""


class PaymentCaptured(Message):
    """Money was taken for a shipment."""

    type: Literal["payment.captured.v1"] = "payment.captured.v1"
    order_id: UUID
    capture_id: UUID
    """The shipment that the money is for."""
    amount: Money


class CaptureRefused(Message):
    """The acquirer would not let the money be taken."""

    type: Literal["payment.capture_refused.v1"] = "payment.capture_refused.v1"
    order_id: UUID
    capture_id: UUID
    code: Identifier


class PaymentVoided(Message):
    """The acquirer holds nothing for this payment and will refuse to authorise it later."""

    type: Literal["payment.voided.v1"] = "payment.voided.v1"
    order_id: UUID


class RefundRequested(Message):
    """Money is to be given back; the acquirer is asked next."""

    type: Literal["payment.refund_requested.v1"] = "payment.refund_requested.v1"
    order_id: UUID
    refund_id: UUID
    amount: Money
    reason: RefundReason


class PaymentRefunded(Message):
    """Money was given back."""

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
_PAYMENT_EVENTS: Final = frozenset(get_args(PaymentEvent))


def is_payment_event(event: object) -> TypeIs[PaymentEvent]:
    """The same as `is_order_event`."""
    return type(event) in _PAYMENT_EVENTS
