"""How money goes back: asked for by staff, then answered by the acquirer. Never more than was captured."""

from typing import assert_never

from domain.aggregate import known
from domain.defects import OutcomeContradicted, RefundNotFound, same
from domain.errors import CurrencyMismatch, EmptyRefund, RefundExceedsCaptured
from domain.payment.commands import AskRefund
from domain.payment.state import Payment, Refund
from schemas.commands import RecordRefund, RecordRefundRefusal
from schemas.events.payment import PaymentEvent, PaymentRefunded, RefundRefused, RefundRequested
from schemas.money import Money


def ask_refund(payment: Payment, command: AskRefund) -> list[PaymentEvent]:
    if command.refund_id in payment.refunds:
        return []
    asked = command.amount.amount
    if asked == 0:
        raise EmptyRefund
    if payment.asked and command.amount.currency != payment.asked.currency:
        raise CurrencyMismatch(expected=payment.asked.currency, given=command.amount.currency)
    if asked > payment.refundable:
        raise RefundExceedsCaptured(asked, payment.refundable)
    return [
        RefundRequested(
            order_id=payment.order_id, refund_id=command.refund_id, amount=command.amount, reason=command.reason
        )
    ]


def refunded(payment: Payment, command: RecordRefund) -> list[PaymentEvent]:
    refund = _refund(payment, command)
    match refund.status:
        case "requested":
            same(Money(amount=refund.amount, currency=known(payment.asked).currency), command.amount)
            return [PaymentRefunded(order_id=command.order_id, refund_id=command.refund_id, amount=command.amount)]
        case "refunded":
            return []
        case "refused":
            raise OutcomeContradicted(recorded="refund-refused", reported="refunded")
    assert_never(refund.status)


def refund_refused(payment: Payment, command: RecordRefundRefusal) -> list[PaymentEvent]:
    """Record the refusal, which frees the amount to be asked for again under another id."""
    refund = _refund(payment, command)
    match refund.status:
        case "requested":
            return [RefundRefused(order_id=command.order_id, refund_id=command.refund_id, code=command.code)]
        case "refused":
            return []
        case "refunded":
            raise OutcomeContradicted(recorded="refunded", reported="refund-refused")
    assert_never(refund.status)


def _refund(payment: Payment, command: RecordRefund | RecordRefundRefusal) -> Refund:
    refund = payment.refunds.get(command.refund_id)
    if refund is None:
        raise RefundNotFound
    return refund
