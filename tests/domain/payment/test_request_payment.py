import pytest

from schemas.events.payment import PaymentEvent
from tests.command_examples import request_payment
from tests.examples import authorised, declined, requested, voided
from tests.given import given


def test_a_payment_is_asked_for() -> None:
    given().when(request_payment()).then(requested())


@pytest.mark.parametrize(
    "later", [(), (authorised(),), (declined(),), (voided(),)], ids=["requested", "authorised", "declined", "voided"]
)
def test_a_payment_is_asked_for_once(later: tuple[PaymentEvent, ...]) -> None:
    given(requested(), *later).when(request_payment()).then()


def test_a_payment_that_was_voided_before_is_never_asked_for() -> None:
    given(voided()).when(request_payment()).then()
