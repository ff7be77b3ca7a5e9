from domain.errors import AdjustmentBelowReserved, StockLimitExceeded, StockNotFound
from domain.stock.commands import AdjustStock
from domain.stock.decide import MAX_ON_HAND
from schemas.base import MAX_QUANTITY
from tests.examples import SKU, adjusted, received, released, reserved
from tests.given import given


def _adjust(delta: int) -> AdjustStock:
    return AdjustStock(sku=SKU, delta=delta, reason="count")


def test_stock_is_corrected_downwards() -> None:
    given(received(10)).when(_adjust(-3)).then(adjusted(-3))


def test_stock_is_corrected_upwards() -> None:
    given(received(10)).when(_adjust(4)).then(adjusted(4))


def test_no_difference_is_no_event() -> None:
    given(received(10)).when(_adjust(0)).then()


def test_what_is_not_reserved_can_be_written_off() -> None:
    given(received(10), reserved(7)).when(_adjust(-3)).then(adjusted(-3))


def test_what_is_reserved_cannot_be_written_off() -> None:
    refusal = AdjustmentBelowReserved(SKU, on_hand=6, reserved=7)
    given(received(10), reserved(7)).when(_adjust(-4)).refuses(refusal)


def test_what_was_released_can_be_written_off() -> None:
    given(received(10), reserved(7), released(7)).when(_adjust(-10)).then(adjusted(-10))


def test_an_earlier_adjustment_counts() -> None:
    refusal = AdjustmentBelowReserved(SKU, on_hand=-1, reserved=0)
    given(received(10), adjusted(-8)).when(_adjust(-3)).refuses(refusal)


def test_stock_that_was_never_received_is_not_found() -> None:
    given().when(_adjust(1)).refuses(StockNotFound(SKU))


def test_more_than_the_limit_is_refused() -> None:
    full = [received(MAX_QUANTITY) for _ in range(MAX_ON_HAND // MAX_QUANTITY)]
    given(*full).when(_adjust(1)).refuses(StockLimitExceeded(SKU, MAX_ON_HAND))
