from projections.stock_level import STOCK_LEVELS
from schemas.views import StockLevel
from tests.projections.projecting import project
from tests.projections.story import Fate, told


def level_after(*fates: Fate) -> StockLevel:
    """Of a SKU of which 1000 were received and 1 was damaged, and each order takes 2."""
    return project(STOCK_LEVELS, told(*fates))[("acme", "ESP-250")]


def test_what_was_received_and_adjusted_is_on_hand() -> None:
    level = level_after()
    assert (level.on_hand, level.reserved, level.available) == (999, 0, 999)


def test_what_was_dispatched_is_neither_on_hand_nor_reserved() -> None:
    level = level_after("delivered", "delivered")
    assert (level.on_hand, level.reserved, level.available) == (995, 0, 995)


def test_what_is_reserved_is_not_available() -> None:
    log = [stored for stored in told("delivered") if stored.topic != "stock.dispatched.v1"]
    level = project(STOCK_LEVELS, log)[("acme", "ESP-250")]
    assert (level.on_hand, level.reserved, level.available) == (999, 2, 997)


def test_what_was_released_is_available_again() -> None:
    level = level_after("cancelled")
    assert (level.on_hand, level.reserved, level.available) == (999, 0, 999)


def test_a_refused_reservation_takes_nothing() -> None:
    level = level_after("short")
    assert (level.available, level.version) == (999, 3)
