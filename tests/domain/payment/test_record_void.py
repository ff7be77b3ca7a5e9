import pytest

from domain.defects import OutcomeContradicted
from schemas.events.payment import PaymentEvent
from tests.command_examples import record_void
from tests.examples import authorised, captured, declined, euros, requested, voided
from tests.given import given


@pytest.mark.parametrize(
    "history",
    [(), (requested(),), (requested(), authorised()), (requested(), declined())],
    ids=["never asked for", "requested", "authorised", "declined"],
)
def test_whatever_became_of_a_payment_its_void_is_told_once(history: tuple[PaymentEvent, ...]) -> None:
    given(*history).when(record_void()).then(voided())


def test_voiding_twice_changes_nothing() -> None:
    given(requested(), voided()).when(record_void()).then()


def test_voiding_twice_what_was_never_asked_for_changes_nothing() -> None:
    given(voided()).when(record_void()).then()


def test_money_that_was_captured_cannot_be_voided() -> None:
    refusal = OutcomeContradicted(recorded="captured", reported="voided")
    given(requested(), authorised(), captured(euros(1))).when(record_void()).refuses(refusal)
