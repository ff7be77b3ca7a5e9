import pytest

from domain.defects import CaptureExceedsAuthorised, OutcomeContradicted
from domain.errors import CurrencyMismatch, PaymentNotFound
from schemas.events.payment import PaymentEvent
from schemas.money import Money
from tests.command_examples import record_capture, record_capture_refusal
from tests.examples import (
    OTHER_SHIPMENT_ID,
    authorised,
    capture_refused,
    captured,
    declined,
    euros,
    requested,
    voided,
)
from tests.given import given

AUTHORISED = (requested(euros(100)), authorised(euros(100)))


def test_what_was_authorised_is_captured() -> None:
    given(*AUTHORISED).when(record_capture(euros(100))).then(captured(euros(100)))


def test_each_shipment_is_captured_up_to_what_was_authorised() -> None:
    rest = record_capture(euros(60), OTHER_SHIPMENT_ID)
    given(*AUTHORISED, captured(euros(40))).when(rest).then(captured(euros(60), OTHER_SHIPMENT_ID))


def test_the_same_capture_is_recorded_once() -> None:
    given(*AUTHORISED, captured(euros(40))).when(record_capture(euros(40))).then()


def test_more_than_was_authorised_is_refused() -> None:
    rest = record_capture(euros(61), OTHER_SHIPMENT_ID)
    given(*AUTHORISED, captured(euros(40))).when(rest).refuses(CaptureExceedsAuthorised(asked=61, left=60))


def test_a_capture_in_another_currency_is_refused() -> None:
    yen = Money(amount=1, currency="JPY")
    given(*AUTHORISED).when(record_capture(yen)).refuses(CurrencyMismatch(expected="EUR", given="JPY"))


@pytest.mark.parametrize(
    ("history", "status"),
    [
        ((requested(),), "requested"),
        ((requested(), declined()), "declined"),
        ((requested(), authorised(), voided()), "voided"),
        ((voided(),), "voided"),
    ],
)
def test_nothing_is_captured_without_an_authorisation(history: tuple[PaymentEvent, ...], status: str) -> None:
    given(*history).when(record_capture()).refuses(OutcomeContradicted(recorded=status, reported="captured"))
    given(*history).when(record_capture_refusal()).refuses(
        OutcomeContradicted(recorded=status, reported="capture-refused")
    )


def test_a_payment_that_nobody_asked_for_is_not_found() -> None:
    given().when(record_capture()).refuses(PaymentNotFound())
    given().when(record_capture_refusal()).refuses(PaymentNotFound())


def test_a_refused_capture_is_recorded() -> None:
    given(*AUTHORISED).when(record_capture_refusal()).then(capture_refused())


def test_a_refused_capture_is_recorded_once() -> None:
    given(*AUTHORISED, capture_refused()).when(record_capture_refusal()).then()


def test_a_capture_that_was_refused_at_first_may_succeed_later() -> None:
    given(*AUTHORISED, capture_refused()).when(record_capture(euros(40))).then(captured(euros(40)))


def test_a_refusal_that_is_told_again_after_the_capture_succeeded_changes_nothing() -> None:
    given(*AUTHORISED, capture_refused(), captured(euros(40))).when(record_capture_refusal()).then()


def test_a_refusal_of_what_was_captured_is_refused() -> None:
    refusal = OutcomeContradicted(recorded="captured", reported="capture-refused")
    given(*AUTHORISED, captured(euros(40))).when(record_capture_refusal()).refuses(refusal)
