"""What a read model declares. The rest (loading, upserting, guarding) is the same for all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Generic, TypeVar
from uuid import UUID

from infra.event_log import Stored
from schemas.base import Category
from schemas.events import Event
from schemas.events.order import OrderEvent
from schemas.events.payment import PaymentEvent
from schemas.events.stock import StockDispatched, StockReleased, StockReserved, StockShort
from schemas.recorded import Recorded
from schemas.views import Projected

R = TypeVar("R", bound=Projected)
Key = tuple[str | UUID | datetime | date, ...]
"""Values of the key columns, in their order."""


class EventMissing(Exception):  # noqa: N818  # a state of the world
    """The row lacks an earlier event of the same stream, so this one cannot be folded into it."""

    def __init__(self, recorded: Recorded) -> None:
        super().__init__(f"{recorded.event.type}: version {recorded.version} without the events before it")


@dataclass(frozen=True, slots=True)
class ReadModel(Generic[R]):
    """One table and how events change it.

    `fold` is pure. It is given every event of a stream once, in version order, while the streams that write to one
    row may come in any order. It gives the row to store, the same object when nothing changed, or None for no row.
    """

    name: str
    """Of the table."""
    categories: frozenset[Category]
    row: type[R]
    key: tuple[str, ...]
    """Columns of the primary key."""
    keys: Callable[[Recorded], tuple[Key, ...]]
    """The rows that an event changes."""
    fold: Callable[[R | None, Key, Recorded], R | None]

    def touched(self, batch: Sequence[Stored]) -> set[Key]:
        return {key for stored in batch for key in self.keys(stored.recorded)}

    def changed(self, rows: Mapping[Key, R], batch: Sequence[Stored]) -> dict[Key, R]:
        """Fold a batch into the rows that it touches; gives those that changed, with their new position."""
        changed: dict[Key, R] = {}
        positions: dict[Key, int] = {}
        for stored in batch:
            for key in self.keys(stored.recorded):
                before = changed.get(key) or rows.get(key)
                after = self.fold(before, key, stored.recorded)
                if after is not None and after is not before:
                    changed[key] = after
                    known = positions.get(key, before.position if before else 0)
                    positions[key] = max(stored.position, known)
        return {key: row.model_copy(update={"position": positions[key]}) for key, row in changed.items()}


def order_of(event: Event, stream_id: UUID) -> UUID | None:
    """Give the order that an event is about, whichever stream it is in."""
    if isinstance(event, OrderEvent):
        return stream_id
    if isinstance(event, PaymentEvent | StockReserved | StockShort | StockReleased | StockDispatched):
        return event.order_id
    return None


def order_keys(recorded: Recorded) -> tuple[Key, ...]:
    """Give the one row of the order that an event is about, where rows are per order."""
    order_id = order_of(recorded.event, recorded.stream_id)
    return () if order_id is None else ((order_id,),)
