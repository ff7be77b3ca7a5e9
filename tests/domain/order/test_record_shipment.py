import pytest

from domain.errors import (
    DuplicateSku,
    NothingLeftToShip,
    OrderClosed,
    OrderNotConfirmed,
    OrderNotFound,
    PickExceedsOrder,
)
from domain.order.commands import RecordShipment
from schemas.events.order import OrderEvent, Pick
from tests.examples import (
    OTHER_SHIPMENT_ID,
    OTHER_SKU,
    SHIPMENT_ID,
    SKU,
    a_pick,
    cancelled,
    completed,
    confirmed,
    delivered,
    euros,
    placed,
    shipped,
)
from tests.given import given

CONFIRMED = (placed(), confirmed())
PART = shipped(a_pick(SKU, 1), amount=euros(1450), final=False)


def _ship(*picks: Pick, first: bool = True) -> RecordShipment:
    return RecordShipment(
        shipment_id=SHIPMENT_ID if first else OTHER_SHIPMENT_ID,
        carrier="CTT Expresso",
        tracking="RR123456785PT",
        picks=picks or None,
    )


def test_a_shipment_without_picks_is_all_of_the_order_and_worth_its_total() -> None:
    given(*CONFIRMED).when(_ship()).then(shipped(a_pick(SKU, 2), a_pick(OTHER_SKU, 1), amount=euros(6800)))


def test_a_part_is_worth_what_was_picked_at_the_prices_of_the_order() -> None:
    given(*CONFIRMED).when(_ship(a_pick(SKU, 1))).then(PART)


def test_a_second_shipment_without_picks_is_all_that_is_left() -> None:
    given(*CONFIRMED, PART).when(_ship(first=False)).then(
        shipped(a_pick(SKU, 1), a_pick(OTHER_SKU, 1), shipment_id=OTHER_SHIPMENT_ID, amount=euros(5350))
    )


def test_a_shipment_that_happens_to_take_all_that_is_left_is_final() -> None:
    rest = (a_pick(OTHER_SKU, 1), a_pick(SKU, 1))
    given(*CONFIRMED, PART).when(_ship(*rest, first=False)).then(
        shipped(*rest, shipment_id=OTHER_SHIPMENT_ID, amount=euros(5350))
    )


def test_one_sku_in_full_is_not_final_while_another_is_left() -> None:
    given(*CONFIRMED).when(_ship(a_pick(SKU, 2))).then(shipped(a_pick(SKU, 2), amount=euros(2900), final=False))


@pytest.mark.parametrize(
    "later",
    [(PART,), (shipped(),), (shipped(), delivered()), (shipped(), delivered(), completed())],
    ids=["partly shipped", "shipped", "delivered", "completed"],
)
def test_the_same_shipment_is_recorded_once(later: tuple[OrderEvent, ...]) -> None:
    given(*CONFIRMED, *later).when(_ship()).then()


def test_an_unconfirmed_order_does_not_ship() -> None:
    given(placed()).when(_ship()).refuses(OrderNotConfirmed())


def test_a_cancelled_order_does_not_ship() -> None:
    given(*CONFIRMED, cancelled(confirmed=True)).when(_ship()).refuses(OrderClosed("cancelled"))


@pytest.mark.parametrize(
    ("later", "status"),
    [
        ((shipped(),), "shipped"),
        ((shipped(), delivered()), "delivered"),
        ((shipped(), delivered(), completed()), "completed"),
    ],
)
def test_nothing_ships_after_everything_has(later: tuple[OrderEvent, ...], status: str) -> None:
    given(*CONFIRMED, *later).when(_ship(first=False)).refuses(NothingLeftToShip(status))


def test_more_than_was_ordered_does_not_ship() -> None:
    given(*CONFIRMED).when(_ship(a_pick(SKU, 3))).refuses(PickExceedsOrder(SKU, asked=3, left=2))


def test_more_than_is_left_does_not_ship() -> None:
    second = _ship(a_pick(SKU, 2), first=False)
    given(*CONFIRMED, PART).when(second).refuses(PickExceedsOrder(SKU, asked=2, left=1))


def test_what_was_not_ordered_does_not_ship() -> None:
    given(*CONFIRMED).when(_ship(a_pick("V60-02", 1))).refuses(PickExceedsOrder("V60-02", asked=1, left=0))


def test_a_sku_that_was_picked_twice_is_refused() -> None:
    given(*CONFIRMED).when(_ship(a_pick(SKU, 1), a_pick(SKU, 1))).refuses(DuplicateSku(SKU))


def test_an_order_that_nobody_placed_is_not_found() -> None:
    given().when(_ship()).refuses(OrderNotFound())
