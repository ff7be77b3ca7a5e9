"""The acquirer as a model: a few lines of books, where the first decision under a key stands for ever."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, assert_never
from uuid import UUID

from schemas.commands import (
    AuthorisePayment,
    CapturePayment,
    InboxCommand,
    PaymentCommand,
    RecordAuthorisation,
    RecordCapture,
    RecordCaptureRefusal,
    RecordDecline,
    RecordRefund,
    RecordRefundRefusal,
    RecordVoid,
    RefundPayment,
    VoidPayment,
)

GOOD: Final = "tok_visa"
DECLINED: Final = "tok_declined"
CAPTURE_REFUSED: Final = "tok_capture_refused"
REFUND_REFUSED: Final = "tok_refund_refused"


@dataclass
class Books:
    """Amounts by payment. `held` is what is authorised and neither captured nor voided."""

    answers: dict[UUID, InboxCommand] = field(default_factory=dict)
    tokens: dict[UUID, str] = field(default_factory=dict)
    closed: set[UUID] = field(default_factory=set)
    charges: Counter[UUID] = field(default_factory=Counter)
    """How often a payment was authorised."""
    held: Counter[UUID] = field(default_factory=Counter)
    captured: Counter[UUID] = field(default_factory=Counter)
    refunded: Counter[UUID] = field(default_factory=Counter)

    def call(self, command: PaymentCommand) -> InboxCommand:
        """Decide, or repeat what was decided, and tell it as the worker would."""
        match command:
            case AuthorisePayment(payment_id=key) | CapturePayment(capture_id=key) | RefundPayment(refund_id=key):
                if key not in self.answers:
                    self.answers[key] = self._decide(command)
                return self.answers[key]
            case VoidPayment(order_id=order_id, payment_id=payment_id):
                assert not self.captured[payment_id]
                self.closed.add(payment_id)
                self.held[payment_id] = 0
                return RecordVoid(order_id=order_id)
        assert_never(command)

    def _decide(self, command: AuthorisePayment | CapturePayment | RefundPayment) -> InboxCommand:
        match command:
            case AuthorisePayment():
                return self._authorise(command)
            case CapturePayment():
                return self._capture(command)
            case RefundPayment():
                return self._refund(command)
        assert_never(command)

    def _authorise(self, command: AuthorisePayment) -> InboxCommand:
        order_id, payment_id = command.order_id, command.payment_id
        self.tokens[payment_id] = command.payment_token
        if payment_id in self.closed:
            return RecordDecline(order_id=order_id, code="voided")
        if command.payment_token == DECLINED:
            return RecordDecline(order_id=order_id, code="insufficient_funds")
        self.charges[payment_id] += 1
        self.held[payment_id] = command.amount.amount
        return RecordAuthorisation(order_id=order_id, amount=command.amount, acquirer_reference="acq-1")

    def _capture(self, command: CapturePayment) -> InboxCommand:
        order_id, payment_id, amount = command.order_id, command.payment_id, command.amount
        if self.tokens[payment_id] == CAPTURE_REFUSED:
            return RecordCaptureRefusal(order_id=order_id, capture_id=command.capture_id, code="expired")
        self.held[payment_id] -= amount.amount
        self.captured[payment_id] += amount.amount
        return RecordCapture(order_id=order_id, capture_id=command.capture_id, amount=amount)

    def _refund(self, command: RefundPayment) -> InboxCommand:
        order_id, payment_id, amount = command.order_id, command.payment_id, command.amount
        if self.tokens[payment_id] == REFUND_REFUSED:
            return RecordRefundRefusal(order_id=order_id, refund_id=command.refund_id, code="account_closed")
        self.refunded[payment_id] += amount.amount
        return RecordRefund(order_id=order_id, refund_id=command.refund_id, amount=amount)
