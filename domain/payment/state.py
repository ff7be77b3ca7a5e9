"""What a payment's past decides about its future. Amounts are in the minor unit of `currency`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, assert_never
from uuid import UUID

from domain.aggregate import known
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
from schemas.money import Money

Status = Literal["requested", "authorised", "declined", "voided"]


@dataclass(frozen=True, slots=True)
class Refund:
    amount: int
    status: Literal["requested", "refunded", "refused"] = "requested"


@dataclass(frozen=True, slots=True)
class Payment:
    """refunded + refunds asked for <= captured <= authorised = asked, always."""

    order_id: UUID
    asked: Money | None
    """None when the payment was voided before it was asked for."""
    status: Status
    captures: Mapping[UUID, int] = field(default_factory=dict)
    refused_captures: frozenset[UUID] = frozenset()
    refunds: Mapping[UUID, Refund] = field(default_factory=dict)

    @property
    def captured(self) -> int:
        return sum(self.captures.values())

    @property
    def refundable(self) -> int:
        """Captured, and neither refunded nor being refunded."""
        return self.captured - sum(refund.amount for refund in self.refunds.values() if refund.status != "refused")


def evolve(payment: Payment | None, event: PaymentEvent) -> Payment:
    match event:
        case PaymentRequested(order_id=order_id, amount=amount):
            return Payment(order_id, amount, "requested")
        case PaymentVoided(order_id=order_id) if payment is None:
            return Payment(order_id, None, "voided")
        case PaymentVoided():
            return replace(known(payment), status="voided")
        case PaymentAuthorised():
            return replace(known(payment), status="authorised")
        case PaymentDeclined():
            return replace(known(payment), status="declined")
        case PaymentCaptured() | CaptureRefused():
            return _after_capture(known(payment), event)
        case RefundRequested() | PaymentRefunded() | RefundRefused():
            return _after_refund(known(payment), event)
    assert_never(event)


def _after_capture(payment: Payment, event: PaymentCaptured | CaptureRefused) -> Payment:
    match event:
        case PaymentCaptured(capture_id=capture_id, amount=amount):
            return replace(payment, captures={**payment.captures, capture_id: amount.amount})
        case CaptureRefused(capture_id=capture_id):
            return replace(payment, refused_captures=payment.refused_captures | {capture_id})
    assert_never(event)


def _after_refund(payment: Payment, event: RefundRequested | PaymentRefunded | RefundRefused) -> Payment:
    match event:
        case RefundRequested(refund_id=refund_id, amount=amount):
            return _with_refund(payment, refund_id, Refund(amount.amount))
        case PaymentRefunded(refund_id=refund_id):
            return _with_refund(payment, refund_id, replace(payment.refunds[refund_id], status="refunded"))
        case RefundRefused(refund_id=refund_id):
            return _with_refund(payment, refund_id, replace(payment.refunds[refund_id], status="refused"))
    assert_never(event)


def _with_refund(payment: Payment, refund_id: UUID, refund: Refund) -> Payment:
    return replace(payment, refunds={**payment.refunds, refund_id: refund})
