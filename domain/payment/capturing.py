"""What the acquirer took of what it had authorised, one capture per shipment."""

from domain.aggregate import known
from domain.defects import CaptureExceedsAuthorised, OutcomeContradicted
from domain.errors import CurrencyMismatch
from domain.payment.state import Payment
from schemas.commands import RecordCapture, RecordCaptureRefusal
from schemas.events.payment import CaptureRefused, PaymentCaptured, PaymentEvent


def capture(payment: Payment, command: RecordCapture) -> list[PaymentEvent]:
    """Record a capture, also one that was refused at first: later money finishes the order after all."""
    if command.capture_id in payment.captures:
        return []
    _authorised(payment, "captured")
    asked = known(payment.asked)
    if command.amount.currency != asked.currency:
        raise CurrencyMismatch(expected=asked.currency, given=command.amount.currency)
    left = asked.amount - payment.captured
    if command.amount.amount > left:
        raise CaptureExceedsAuthorised(command.amount.amount, left)
    return [PaymentCaptured(order_id=command.order_id, capture_id=command.capture_id, amount=command.amount)]


def capture_refused(payment: Payment, command: RecordCaptureRefusal) -> list[PaymentEvent]:
    if command.capture_id in payment.refused_captures:
        return []
    _authorised(payment, "capture-refused")
    if command.capture_id in payment.captures:
        raise OutcomeContradicted(recorded="captured", reported="capture-refused")
    return [CaptureRefused(order_id=command.order_id, capture_id=command.capture_id, code=command.code)]


def _authorised(payment: Payment, reported: str) -> None:
    if payment.status != "authorised":
        raise OutcomeContradicted(recorded=payment.status, reported=reported)
