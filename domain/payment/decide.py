"""What may happen to a payment. What the acquirer answers is a fact: it is refused only when it cannot be true."""

from typing import assert_never

from domain.aggregate import known
from domain.defects import OutcomeContradicted, same
from domain.errors import PaymentNotFound
from domain.payment.capturing import capture, capture_refused
from domain.payment.commands import AskRefund, PaymentCommand
from domain.payment.refunding import ask_refund, refund_refused, refunded
from domain.payment.state import Payment
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
from schemas.events.payment import (
    PaymentAuthorised,
    PaymentDeclined,
    PaymentEvent,
    PaymentRequested,
    PaymentVoided,
    kind_of_decline,
)


def decide(payment: Payment | None, command: PaymentCommand) -> list[PaymentEvent]:
    if isinstance(command, RequestPayment):
        return _request(payment, command)
    if isinstance(command, RecordVoid):
        return _void(payment, command)
    if payment is None:
        raise PaymentNotFound
    match command:
        case RecordAuthorisation():
            return _authorise(payment, command)
        case RecordDecline():
            return _decline(payment, command)
        case RecordCapture():
            return capture(payment, command)
        case RecordCaptureRefusal():
            return capture_refused(payment, command)
        case AskRefund():
            return ask_refund(payment, command)
        case RecordRefund():
            return refunded(payment, command)
        case RecordRefundRefusal():
            return refund_refused(payment, command)
    assert_never(command)


def _request(payment: Payment | None, command: RequestPayment) -> list[PaymentEvent]:
    """Ask once and never again: a void that came first has closed the payment."""
    if payment is not None:
        return []
    return [PaymentRequested(order_id=command.order_id, amount=command.amount, payment_token=command.payment_token)]


def _authorise(payment: Payment, command: RecordAuthorisation) -> list[PaymentEvent]:
    match payment.status:
        case "requested":
            same(known(payment.asked), command.amount)
            return [
                PaymentAuthorised(
                    order_id=command.order_id, amount=command.amount, acquirer_reference=command.acquirer_reference
                )
            ]
        case "authorised" | "voided":
            return []
        case "declined":
            raise OutcomeContradicted(recorded="declined", reported="authorised")
    assert_never(payment.status)


def _decline(payment: Payment, command: RecordDecline) -> list[PaymentEvent]:
    """A decline after the authorisation answers a repeated question about a key that a void has just closed."""
    if payment.status != "requested":
        return []
    return [PaymentDeclined(order_id=command.order_id, code=command.code, kind=kind_of_decline(command.code))]


def _void(payment: Payment | None, command: RecordVoid) -> list[PaymentEvent]:
    """Close the payment for ever, also one that was declined or never asked for, so that whoever waits is answered."""
    if payment is not None and payment.captures:
        raise OutcomeContradicted(recorded="captured", reported="voided")
    if payment is not None and payment.status == "voided":
        return []
    return [PaymentVoided(order_id=command.order_id)]
