from domain.defects import StockNotReserved
from tests.command_examples import dispatch, reserve
from tests.examples import OTHER_ORDER_ID, OTHER_SHIPMENT_ID, SKU, dispatched, received, reserved, short
from tests.given import given

HELD = (received(10), reserved(2))


def test_what_is_reserved_can_leave() -> None:
    given(*HELD).when(dispatch(2)).then(dispatched(2))


def test_it_can_leave_in_parts() -> None:
    rest = dispatch(1, shipment_id=OTHER_SHIPMENT_ID)
    given(*HELD, dispatched(1)).when(rest).then(dispatched(1, shipment_id=OTHER_SHIPMENT_ID))


def test_the_same_shipment_leaves_once() -> None:
    given(*HELD, dispatched(1)).when(dispatch(1)).then()


def test_what_left_is_no_longer_on_the_shelf() -> None:
    given(*HELD, dispatched(2)).when(reserve(9, OTHER_ORDER_ID)).then(short(9, 8, OTHER_ORDER_ID))


def test_more_than_is_left_of_the_reservation_is_refused() -> None:
    rest = dispatch(2, shipment_id=OTHER_SHIPMENT_ID)
    given(*HELD, dispatched(1)).when(rest).refuses(StockNotReserved(SKU, asked=2, held=1))


def test_what_another_order_reserved_does_not_leave() -> None:
    given(received(10), reserved(2, OTHER_ORDER_ID)).when(dispatch(2)).refuses(StockNotReserved(SKU, asked=2, held=0))


def test_an_order_that_holds_nothing_dispatches_nothing() -> None:
    given().when(dispatch(1)).refuses(StockNotReserved(SKU, asked=1, held=0))
