from domain.defects import AmountMismatch, OutcomeContradicted, RefundNotFound
from domain.errors import PaymentNotFound
from tests.command_examples import record_refund, record_refund_refusal
from tests.examples import authorised, captured, euros, refund_refused, refund_requested, refunded, requested
from tests.given import given

CAPTURED = (requested(), authorised(), captured())
ASKED = (*CAPTURED, refund_requested(euros(60)))


def test_what_was_asked_for_is_refunded() -> None:
    given(*ASKED).when(record_refund(euros(60))).then(refunded(euros(60)))


def test_the_same_refund_is_recorded_once() -> None:
    given(*ASKED, refunded(euros(60))).when(record_refund(euros(60))).then()


def test_another_amount_is_refused() -> None:
    refusal = AmountMismatch(asked="60 EUR", reported="61 EUR")
    given(*ASKED).when(record_refund(euros(61))).refuses(refusal)


def test_a_refused_refund_is_recorded() -> None:
    given(*ASKED).when(record_refund_refusal()).then(refund_refused())


def test_the_same_refusal_is_recorded_once() -> None:
    given(*ASKED, refund_refused()).when(record_refund_refusal()).then()


def test_a_refund_after_its_refusal_is_refused_so_that_somebody_looks() -> None:
    refusal = OutcomeContradicted(recorded="refund-refused", reported="refunded")
    given(*ASKED, refund_refused()).when(record_refund(euros(60))).refuses(refusal)


def test_a_refusal_after_the_refund_is_refused() -> None:
    refusal = OutcomeContradicted(recorded="refunded", reported="refund-refused")
    given(*ASKED, refunded(euros(60))).when(record_refund_refusal()).refuses(refusal)


def test_a_refund_that_nobody_asked_for_is_not_found() -> None:
    given(*CAPTURED).when(record_refund()).refuses(RefundNotFound())
    given(*CAPTURED).when(record_refund_refusal()).refuses(RefundNotFound())


def test_a_payment_that_nobody_asked_for_is_not_found() -> None:
    given().when(record_refund()).refuses(PaymentNotFound())
    given().when(record_refund_refusal()).refuses(PaymentNotFound())
