"""What a read model declares. The rest (loading, upserting, guarding) is the same for all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Generic, TypeVar
from uuid import UUID

from infra.event_log import Stored
from schemas.base import Category
from schemas.events import Event
from schemas.events.order import is_order_event
from schemas.events.payment import is_payment_event
from schemas.events.stock import StockDispatched, StockReleased, StockReserved, StockShort
from schemas.ids import payment_id
from schemas.recorded import Recorded
from schemas.views import Projected

R = TypeVar("R", bound=Projected)
Key = tuple[str | UUID | datetime | date, ...]
"""Values of the key columns, in their order."""


class EventMissing(Exception):  # noqa: N818  # a state of the world
    """The row lacks an earlier event of the same stream, so this one cannot be folded into it."""

    def __init__(self, recorded: Recorded) -> None:
        super().__init__(f"{recorded.event.type}: version {recorded.version} without the events before it")


def nobody_in_particular(recorded: Recorded) -> tuple[UUID, ...]:
    del recorded
    return ()


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
    writers: Callable[[Recorded], tuple[UUID, ...]] = nobody_in_particular
    """All streams that write to the rows which an event changes; none when that can be any."""

    def touched(self, batch: Sequence[Stored]) -> set[Key]:
        return {key for stored in batch for key in self.keys(stored.recorded)}

    def changed(self, rows: Mapping[Key, R], batch: Sequence[Stored]) -> dict[Key, R]:
        """Fold a batch into the rows that it touches; gives those that changed, with their new position."""
        folded, changed = dict(rows), set[Key]()
        for stored in batch:
            self.take(folded, changed, stored.recorded, stored.position)
        return {key: row for key, row in folded.items() if key in changed}

    def take(self, rows: dict[Key, R], changed: set[Key], recorded: Recorded, position: int) -> None:
        """Fold one event into rows, and note which have changed."""
        for key in self.keys(recorded):
            before = rows.get(key)
            after = self.fold(before, key, recorded)
            if after is None or after is before:
                continue
            known = before.position if before else 0
            after.__dict__["position"] = max(position, known)  # nobody else has it yet, and a copy is dear
            rows[key] = after
            changed.add(key)


def order_of(event: Event, stream_id: UUID) -> UUID | None:
    """Give the order that an event is about, whichever stream it is in."""
    if is_order_event(event):
        return stream_id
    if is_payment_event(event) or isinstance(event, StockReserved | StockShort | StockReleased | StockDispatched):
        return event.order_id
    return None


def order_and_payment(recorded: Recorded) -> tuple[UUID, ...]:
    """Give the two streams that write to the row of the order that an event is about."""
    order_id = order_of(recorded.event, recorded.stream_id)
    return () if order_id is None else (order_id, payment_id(order_id))


def its_own_stream(recorded: Recorded) -> tuple[UUID, ...]:
    return (recorded.stream_id,)


def order_keys(recorded: Recorded) -> tuple[Key, ...]:
    """Give the one row of the order that an event is about, where rows are per order."""
    order_id = order_of(recorded.event, recorded.stream_id)
    return () if order_id is None else ((order_id,),)
