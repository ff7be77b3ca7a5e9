import pytest

from domain.errors import OrderNotFound
from schemas.events.order import OrderEvent
from tests.command_examples import confirm
from tests.examples import cancelled, completed, confirmed, delivered, placed, shipped
from tests.given import given


def test_a_placed_order_is_confirmed_with_what_it_is_about() -> None:
    given(placed()).when(confirm()).then(confirmed())


@pytest.mark.parametrize(
    "later",
    [(), (shipped(),), (shipped(), delivered()), (shipped(), delivered(), completed())],
    ids=["confirmed", "shipped", "delivered", "completed"],
)
def test_confirming_twice_changes_nothing(later: tuple[OrderEvent, ...]) -> None:
    given(placed(), confirmed(), *later).when(confirm()).then()


def test_an_order_that_was_cancelled_meanwhile_stays_cancelled() -> None:
    given(placed(), cancelled()).when(confirm()).then()


def test_an_order_that_nobody_placed_is_not_found() -> None:
    given().when(confirm()).refuses(OrderNotFound())
