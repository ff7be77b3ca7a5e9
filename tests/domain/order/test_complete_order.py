import pytest

from domain.defects import OrderNotDelivered
from domain.errors import OrderNotFound
from schemas.events.order import OrderEvent
from tests.command_examples import complete
from tests.examples import a_pick, cancelled, completed, confirmed, delivered, euros, placed, shipped
from tests.given import given

PART = shipped(a_pick(quantity=1), amount=euros(1450), final=False)


def test_an_order_that_was_delivered_in_full_is_completed() -> None:
    given(placed(), confirmed(), shipped(), delivered()).when(complete()).then(completed())


def test_completing_twice_changes_nothing() -> None:
    given(placed(), confirmed(), shipped(), delivered(), completed()).when(complete()).then()


@pytest.mark.parametrize(
    ("later", "status"),
    [
        ((), "placed"),
        ((confirmed(),), "confirmed"),
        ((cancelled(),), "cancelled"),
        ((confirmed(), PART, delivered(final=False)), "partly_shipped"),
        ((confirmed(), shipped()), "shipped"),
    ],
)
def test_an_order_that_is_not_delivered_in_full_is_not_completed(later: tuple[OrderEvent, ...], status: str) -> None:
    given(placed(), *later).when(complete()).refuses(OrderNotDelivered(status))


def test_an_order_that_nobody_placed_is_not_found() -> None:
    given().when(complete()).refuses(OrderNotFound())
