from domain.defects import AmountMismatch, OutcomeContradicted
from domain.errors import PaymentNotFound
from schemas.money import Money
from tests.command_examples import record_authorisation
from tests.examples import authorised, captured, declined, euros, requested, voided
from tests.given import given


def test_the_amount_that_was_asked_for_is_authorised() -> None:
    given(requested()).when(record_authorisation()).then(authorised())


def test_a_repeated_answer_changes_nothing() -> None:
    given(requested(), authorised()).when(record_authorisation()).then()


def test_an_answer_that_is_repeated_after_a_capture_changes_nothing() -> None:
    given(requested(), authorised(), captured()).when(record_authorisation()).then()


def test_an_authorisation_that_is_told_after_the_void_changes_nothing_because_nothing_is_held_any_more() -> None:
    given(requested(), voided()).when(record_authorisation()).then()


def test_an_authorisation_of_a_payment_that_was_voided_before_it_was_asked_for_changes_nothing() -> None:
    given(voided()).when(record_authorisation()).then()


def test_an_authorisation_after_a_decline_is_refused_so_that_somebody_looks() -> None:
    refusal = OutcomeContradicted(recorded="declined", reported="authorised")
    given(requested(), declined()).when(record_authorisation()).refuses(refusal)


def test_another_amount_is_refused() -> None:
    refusal = AmountMismatch(asked="6800 EUR", reported="6799 EUR")
    given(requested()).when(record_authorisation(euros(6799))).refuses(refusal)


def test_another_currency_is_refused() -> None:
    refusal = AmountMismatch(asked="6800 EUR", reported="6800 JPY")
    given(requested()).when(record_authorisation(Money(amount=6800, currency="JPY"))).refuses(refusal)


def test_a_payment_that_nobody_asked_for_is_not_found() -> None:
    given().when(record_authorisation()).refuses(PaymentNotFound())
