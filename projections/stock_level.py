"""What is on the shelf, per SKU."""

from typing import Final, assert_never

from projections.read_model import EventMissing, Key, ReadModel, its_own_stream
from schemas.events.stock import (
    StockAdjusted,
    StockDispatched,
    StockEvent,
    StockReceived,
    StockReleased,
    StockReserved,
    StockShort,
)
from schemas.recorded import Recorded
from schemas.views import StockLevel


def keys(recorded: Recorded) -> tuple[Key, ...]:
    event = recorded.event
    return ((recorded.tenant_id, event.sku),) if isinstance(event, StockEvent) else ()


def count(row: StockLevel | None, key: Key, recorded: Recorded) -> StockLevel | None:
    del key
    event = recorded.event
    if not isinstance(event, StockEvent):
        return row
    if row is None and recorded.version > 1:
        raise EventMissing(recorded)
    on_hand, reserved = _moved(event)
    on_hand += row.on_hand if row else 0
    reserved += row.reserved if row else 0
    return StockLevel(
        sku=event.sku,
        tenant_id=recorded.tenant_id,
        on_hand=on_hand,
        reserved=reserved,
        available=on_hand - reserved,
        updated_at=recorded.occurred_at,
        version=recorded.version,
    )


def _moved(event: StockEvent) -> tuple[int, int]:
    """Give what an event adds to on hand and to reserved."""
    match event:
        case StockReceived():
            return event.quantity, 0
        case StockAdjusted():
            return event.delta, 0
        case StockReserved():
            return 0, event.quantity
        case StockReleased():
            return 0, -event.quantity
        case StockDispatched():
            return -event.quantity, -event.quantity
        case StockShort():
            return 0, 0
    assert_never(event)


STOCK_LEVELS: Final = ReadModel(
    name="stock_levels",
    categories=frozenset({"stock"}),
    row=StockLevel,
    key=("tenant_id", "sku"),
    keys=keys,
    fold=count,
    writers=its_own_stream,
)
