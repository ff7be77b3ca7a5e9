"""The process's way to cancel: total, because whether it came in time is told by the events."""

import pytest

from domain.errors import OrderNotFound
from schemas.events.order import OrderEvent
from tests.command_examples import cancel
from tests.examples import a_pick, cancelled, completed, confirmed, delivered, euros, placed, shipped
from tests.given import given

PART = shipped(a_pick(quantity=1), amount=euros(1450), final=False)


def test_a_placed_order_is_cancelled_with_the_reason() -> None:
    given(placed()).when(cancel("payment_declined")).then(cancelled(reason="payment_declined"))


def test_a_confirmed_order_is_cancelled_and_says_that_it_was_confirmed() -> None:
    given(placed(), confirmed()).when(cancel("shipment_deadline")).then(
        cancelled(reason="shipment_deadline", confirmed=True)
    )


def test_an_order_is_cancelled_once_for_the_first_reason() -> None:
    given(placed(), cancelled(reason="out_of_stock")).when(cancel("stock_deadline")).then()


@pytest.mark.parametrize(
    "later",
    [(PART,), (shipped(),), (shipped(), delivered()), (shipped(), delivered(), completed())],
    ids=["partly shipped", "shipped", "delivered", "completed"],
)
def test_what_has_left_cannot_be_cancelled_any_more(later: tuple[OrderEvent, ...]) -> None:
    given(placed(), confirmed(), *later).when(cancel("shipment_deadline")).then()


def test_an_order_that_nobody_placed_is_not_found() -> None:
    given().when(cancel()).refuses(OrderNotFound())
