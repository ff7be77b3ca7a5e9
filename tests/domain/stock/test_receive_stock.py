from domain.errors import StockLimitExceeded
from domain.stock.commands import ReceiveStock
from domain.stock.decide import MAX_ON_HAND
from schemas.base import MAX_QUANTITY
from tests.examples import SKU, received
from tests.given import given

RECEIVE = ReceiveStock(sku=SKU, quantity=10, reference="DN-1001")
ALMOST_FULL = [received(MAX_QUANTITY) for _ in range(MAX_ON_HAND // MAX_QUANTITY - 1)]


def test_the_first_receipt_begins_the_stock_of_a_sku() -> None:
    given().when(RECEIVE).then(received(10))


def test_a_second_receipt_is_another_delivery() -> None:
    given(received(10)).when(RECEIVE).then(received(10))


def test_stock_can_be_filled_up_to_the_limit() -> None:
    last = ReceiveStock(sku=SKU, quantity=MAX_QUANTITY, reference="DN-1001")
    given(*ALMOST_FULL).when(last).then(received(MAX_QUANTITY))


def test_more_than_the_limit_is_refused() -> None:
    given(*ALMOST_FULL, received(MAX_QUANTITY)).when(RECEIVE).refuses(StockLimitExceeded(SKU, MAX_ON_HAND))
