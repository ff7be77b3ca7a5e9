"""A payment beside the plainest model of one: a purse that the acquirer holds, and what the shop has taken of it."""

from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.aggregates import PAYMENT
from domain.defects import CaptureExceedsAuthorised
from domain.errors import EmptyRefund, RefundExceedsCaptured
from domain.payment.commands import AskRefund, PaymentCommand
from domain.payment.state import Payment
from schemas.events.payment import PaymentEvent
from tests.command_examples import (
    record_authorisation,
    record_capture,
    record_capture_refusal,
    record_refund,
    record_refund_refusal,
    request_payment,
)
from tests.examples import euros, uuid

cents = st.integers(0, 60)


class Purse(RuleBasedStateMachine):
    payment: Payment | None = None

    def __init__(self) -> None:
        super().__init__()
        self.held = self.taken = self.numbers = 0
        self.returning: dict[UUID, int] = {}

    def ask(self, command: PaymentCommand) -> list[PaymentEvent]:
        events = PAYMENT.decide(self.payment, command)
        self.payment = PAYMENT.fold(events, self.payment)
        assert PAYMENT.decide(self.payment, command) == []
        return events

    def a_new(self, kind: str) -> UUID:
        self.numbers += 1
        return uuid(f"{kind} {self.numbers}")

    @initialize(amount=cents)
    def money_is_held(self, amount: int) -> None:
        self.ask(request_payment(euros(amount)))
        self.ask(record_authorisation(euros(amount)))
        self.held = amount

    @rule(amount=cents, refused_at_first=st.booleans())
    def a_shipment_is_paid(self, amount: int, *, refused_at_first: bool) -> None:
        capture_id = self.a_new("shipment")
        if refused_at_first:
            self.ask(record_capture_refusal(capture_id))
        try:
            self.ask(record_capture(euros(amount), capture_id))
        except CaptureExceedsAuthorised:
            assert amount > self.held
        else:
            self.held -= amount
            self.taken += amount

    @rule(amount=cents)
    def staff_ask_for_a_refund(self, amount: int) -> None:
        refund_id = self.a_new("refund")
        try:
            self.ask(AskRefund(refund_id=refund_id, amount=euros(amount), reason="late"))
        except (EmptyRefund, RefundExceedsCaptured):
            assert amount == 0 or amount > self.taken
        else:
            self.taken -= amount
            self.returning[refund_id] = amount

    @precondition(lambda self: self.returning)
    @rule(data=st.data(), agrees=st.booleans())
    def the_acquirer_answers(self, data: st.DataObject, *, agrees: bool) -> None:
        refund_id = data.draw(st.sampled_from(sorted(self.returning)))
        amount = self.returning.pop(refund_id)
        if agrees:
            self.ask(record_refund(euros(amount), refund_id))
        else:
            self.ask(record_refund_refusal(refund_id))
            self.taken += amount

    @invariant()
    def the_purse_and_the_payment_agree(self) -> None:
        if self.payment is not None:
            assert self.payment.refundable == self.taken


TestPurse = Purse.TestCase
TestPurse.settings = settings(max_examples=40, stateful_step_count=30)
