from domain.errors import OrderNotFound, ShipmentNotFound
from domain.order.commands import RecordDelivery
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

DELIVER = RecordDelivery(shipment_id=SHIPMENT_ID)
DELIVER_OTHER = RecordDelivery(shipment_id=OTHER_SHIPMENT_ID)
CONFIRMED = (placed(), confirmed())
PART = shipped(a_pick(SKU, 2), amount=euros(2900), final=False)
REST = shipped(a_pick(OTHER_SKU, 1), shipment_id=OTHER_SHIPMENT_ID, amount=euros(3900))


def test_the_only_shipment_delivers_the_order() -> None:
    given(*CONFIRMED, shipped()).when(DELIVER).then(delivered(final=True))


def test_the_first_of_two_shipments_is_not_final() -> None:
    given(*CONFIRMED, PART, REST).when(DELIVER).then(delivered(final=False))


def test_the_last_of_two_shipments_is_final_whatever_their_order() -> None:
    given(*CONFIRMED, PART, REST, delivered(OTHER_SHIPMENT_ID, final=False)).when(DELIVER).then(delivered(final=True))


def test_all_that_has_shipped_is_not_all_while_something_is_left_to_ship() -> None:
    given(*CONFIRMED, PART).when(DELIVER).then(delivered(final=False))


def test_the_rest_can_be_shipped_and_delivered_after_a_part_was_delivered() -> None:
    history = (*CONFIRMED, PART, delivered(final=False), REST)
    given(*history).when(DELIVER_OTHER).then(delivered(OTHER_SHIPMENT_ID, final=True))


def test_the_same_delivery_is_recorded_once() -> None:
    given(*CONFIRMED, PART, delivered(final=False)).when(DELIVER).then()


def test_a_delivery_that_is_repeated_after_completion_changes_nothing() -> None:
    given(*CONFIRMED, shipped(), delivered(), completed()).when(DELIVER).then()


def test_a_shipment_that_nobody_sent_is_not_found() -> None:
    given(*CONFIRMED, PART).when(DELIVER_OTHER).refuses(ShipmentNotFound())


def test_a_cancelled_order_has_no_shipment() -> None:
    given(placed(), cancelled()).when(DELIVER).refuses(ShipmentNotFound())


def test_an_order_that_nobody_placed_is_not_found() -> None:
    given().when(DELIVER).refuses(OrderNotFound())
