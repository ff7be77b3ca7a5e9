from domain.errors import CurrencyMismatch, EmptyRefund, PaymentNotFound, RefundExceedsCaptured
from domain.payment.commands import AskRefund
from schemas.money import Money
from tests.examples import (
    REFUND_ID,
    authorised,
    captured,
    euros,
    refund_refused,
    refund_requested,
    refunded,
    requested,
    uuid,
    voided,
)
from tests.given import given

CAPTURED = (requested(euros(100)), authorised(euros(100)), captured(euros(60)))
OTHER = uuid("other refund")


def _ask(amount: Money, *, again: bool = False) -> AskRefund:
    return AskRefund(refund_id=OTHER if again else REFUND_ID, amount=amount, reason="damaged")


def test_what_was_captured_can_be_refunded() -> None:
    given(*CAPTURED).when(_ask(euros(60))).then(refund_requested(euros(60)))


def test_what_was_only_authorised_cannot_be_refunded() -> None:
    given(*CAPTURED).when(_ask(euros(61))).refuses(RefundExceedsCaptured(asked=61, refundable=60))


def test_a_refund_under_way_counts() -> None:
    history = (*CAPTURED, refund_requested(euros(50)))
    given(*history).when(_ask(euros(11), again=True)).refuses(RefundExceedsCaptured(asked=11, refundable=10))


def test_a_refund_that_was_made_counts() -> None:
    history = (*CAPTURED, refund_requested(euros(50)), refunded(euros(50)))
    given(*history).when(_ask(euros(11), again=True)).refuses(RefundExceedsCaptured(asked=11, refundable=10))
    given(*history).when(_ask(euros(10), again=True)).then(refund_requested(euros(10), OTHER))


def test_a_refund_that_was_refused_can_be_asked_for_again_under_another_id() -> None:
    history = (*CAPTURED, refund_requested(euros(60)), refund_refused())
    given(*history).when(_ask(euros(60), again=True)).then(refund_requested(euros(60), OTHER))


def test_asking_twice_under_one_id_changes_nothing() -> None:
    asked = (*CAPTURED, refund_requested(euros(60)))
    given(*asked).when(_ask(euros(60))).then()
    given(*asked, refunded(euros(60))).when(_ask(euros(60))).then()
    given(*asked, refund_refused()).when(_ask(euros(60))).then()


def test_a_refund_of_nothing_is_refused() -> None:
    given(*CAPTURED).when(_ask(euros(0))).refuses(EmptyRefund())


def test_a_refund_in_another_currency_is_refused() -> None:
    yen = Money(amount=1, currency="JPY")
    given(*CAPTURED).when(_ask(yen)).refuses(CurrencyMismatch(expected="EUR", given="JPY"))


def test_an_amount_in_another_currency_is_not_compared() -> None:
    yen = Money(amount=1_000_000, currency="JPY")
    given(*CAPTURED).when(_ask(yen)).refuses(CurrencyMismatch(expected="EUR", given="JPY"))


def test_a_payment_that_was_voided_before_it_was_asked_for_has_nothing_to_refund() -> None:
    given(voided()).when(_ask(euros(1))).refuses(RefundExceedsCaptured(asked=1, refundable=0))


def test_a_payment_that_nobody_asked_for_is_not_found() -> None:
    given().when(_ask(euros(1))).refuses(PaymentNotFound())
