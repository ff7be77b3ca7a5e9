import pytest

from domain.errors import OrderNotFound, OrderStillOpen
from domain.order.commands import EraseContact
from schemas.events.order import ContactErased, OrderEvent
from tests.examples import cancelled, completed, confirmed, delivered, placed, shipped
from tests.given import given

ENDED = (placed(), confirmed(), shipped(), delivered(), completed())


@pytest.mark.parametrize("history", [ENDED, (placed(), cancelled())], ids=["completed", "cancelled"])
def test_the_contact_of_an_order_that_has_ended_is_erased_once(history: tuple[OrderEvent, ...]) -> None:
    given(*history).when(EraseContact()).then(ContactErased())
    given(*history, ContactErased()).when(EraseContact()).then()


@pytest.mark.parametrize(
    ("history", "status"),
    [(ENDED[:1], "placed"), (ENDED[:2], "confirmed"), (ENDED[:3], "shipped"), (ENDED[:4], "delivered")],
)
def test_who_gets_an_open_order_is_not_forgotten(history: tuple[OrderEvent, ...], status: str) -> None:
    given(*history).when(EraseContact()).refuses(OrderStillOpen(status))


def test_what_does_not_exist_is_not_erased() -> None:
    given().when(EraseContact()).refuses(OrderNotFound())
