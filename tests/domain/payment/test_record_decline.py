from domain.errors import PaymentNotFound
from tests.command_examples import record_decline
from tests.examples import authorised, declined, requested, voided
from tests.given import given


def test_a_payment_is_declined_with_the_reason_of_the_acquirer() -> None:
    given(requested()).when(record_decline("expired_card")).then(declined("expired_card"))


def test_a_repeated_answer_changes_nothing() -> None:
    given(requested(), declined()).when(record_decline()).then()


def test_a_decline_after_the_void_changes_nothing() -> None:
    given(requested(), voided()).when(record_decline()).then()


def test_a_decline_after_the_authorisation_leaves_it_to_the_void_that_closed_the_key() -> None:
    given(requested(), authorised()).when(record_decline("voided")).then()


def test_a_payment_that_nobody_asked_for_is_not_found() -> None:
    given().when(record_decline()).refuses(PaymentNotFound())
