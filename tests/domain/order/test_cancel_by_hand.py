"""The way of customers and staff to cancel: they are told when it is too late."""

import pytest

from domain.errors import OrderAlreadyShipped, OrderClosed, OrderNotFound
from domain.order.commands import CancelAnyOrder, CancelOwnOrder
from schemas.events.order import OrderEvent
from tests.examples import (
    CUSTOMER_ID,
    a_pick,
    cancelled,
    completed,
    confirmed,
    delivered,
    euros,
    placed,
    shipped,
    uuid,
)
from tests.given import given

OWN = CancelOwnOrder(customer_id=CUSTOMER_ID)
PART = shipped(a_pick(quantity=1), amount=euros(1450), final=False)
EITHER = pytest.mark.parametrize("command", [OWN, CancelAnyOrder()], ids=["customer", "staff"])


def test_a_customer_cancels_a_placed_order() -> None:
    given(placed()).when(OWN).then(cancelled(reason="customer_request"))


def test_a_customer_cancels_a_confirmed_order() -> None:
    given(placed(), confirmed()).when(OWN).then(cancelled(reason="customer_request", confirmed=True))


def test_staff_cancel_for_their_own_reasons() -> None:
    given(placed()).when(CancelAnyOrder()).then(cancelled(reason="staff_decision"))


def test_staff_cancel_for_a_customer() -> None:
    given(placed()).when(CancelAnyOrder(reason="customer_request")).then(cancelled(reason="customer_request"))


@EITHER
def test_cancelling_what_is_cancelled_changes_nothing(command: CancelOwnOrder | CancelAnyOrder) -> None:
    given(placed(), cancelled(reason="out_of_stock")).when(command).then()


@EITHER
@pytest.mark.parametrize(
    "later",
    [(PART,), (shipped(),), (shipped(), delivered())],
    ids=["partly shipped", "shipped", "delivered"],
)
def test_what_has_left_cannot_be_cancelled(
    command: CancelOwnOrder | CancelAnyOrder, later: tuple[OrderEvent, ...]
) -> None:
    given(placed(), confirmed(), *later).when(command).refuses(OrderAlreadyShipped())


@EITHER
def test_a_completed_order_cannot_be_cancelled(command: CancelOwnOrder | CancelAnyOrder) -> None:
    history = (placed(), confirmed(), shipped(), delivered(), completed())
    given(*history).when(command).refuses(OrderClosed("completed"))


def test_the_order_of_another_customer_looks_like_one_that_does_not_exist() -> None:
    given(placed(customer_id=uuid("somebody else"))).when(OWN).refuses(OrderNotFound())


@EITHER
def test_an_order_that_nobody_placed_is_not_found(command: CancelOwnOrder | CancelAnyOrder) -> None:
    given().when(command).refuses(OrderNotFound())
