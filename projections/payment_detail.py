"""What became of the money of an order; the part that order list and order detail share."""

from typing import Any, assert_never
from uuid import UUID

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
from schemas.views import PaymentDetail, PaymentStatus, Refund


def settle(payment: PaymentDetail, event: PaymentEvent) -> PaymentDetail:  # noqa: PLR0911  # one return per event
    match event:
        case PaymentRequested():
            return payment.but({"status": "requested"})
        case PaymentAuthorised():
            return payment.but({"status": "authorised", "authorised": event.amount.amount})
        case PaymentDeclined():
            return payment.but({"status": "declined", "decline_code": event.code, "decline_kind": event.kind})
        case PaymentVoided():
            return payment.but({"status": "voided"})
        case PaymentCaptured():
            captured = payment.captured + event.amount.amount
            return _moved(payment.but({"captured": captured, "capture_refusal_code": None}))
        case CaptureRefused():
            return payment.but({"capture_refusal_code": event.code})
        case RefundRequested():
            refund = Refund(refund_id=event.refund_id, amount=event.amount, reason=event.reason)
            return payment.but({"refunds": (*payment.refunds, refund)})
        case PaymentRefunded():
            refunded = payment.refunded + event.amount.amount
            refunds = _refunds(payment, event.refund_id, {"status": "refunded"})
            return _moved(payment.but({"refunded": refunded, "refunds": refunds}))
        case RefundRefused():
            change = {"status": "refused", "refusal_code": event.code}
            return payment.but({"refunds": _refunds(payment, event.refund_id, change)})
    assert_never(event)


def _moved(payment: PaymentDetail) -> PaymentDetail:
    """Name the status that the amounts add up to."""
    status: PaymentStatus
    if payment.refunded:
        status = "refunded" if payment.refunded >= payment.captured else "partly_refunded"
    else:
        status = "captured" if payment.captured >= payment.authorised else "partly_captured"
    return payment.but({"status": status})


def _refunds(payment: PaymentDetail, refund_id: UUID, change: dict[str, Any]) -> tuple[Refund, ...]:
    return tuple(refund.but(change) if refund.refund_id == refund_id else refund for refund in payment.refunds)
