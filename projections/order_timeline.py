"""What happened to an order, one row per event of the order, its payment, and stock about it."""

from typing import Final

from projections.read_model import Key, ReadModel, its_own_stream, order_of
from schemas.recorded import Recorded
from schemas.telling import facts_of
from schemas.views import TimelineEntry


def keys(recorded: Recorded) -> tuple[Key, ...]:
    order_id = order_of(recorded.event, recorded.stream_id)
    return () if order_id is None else ((order_id, recorded.event_id),)


def note(row: TimelineEntry | None, key: Key, recorded: Recorded) -> TimelineEntry | None:
    del key
    order_id = order_of(recorded.event, recorded.stream_id)
    if order_id is None:
        return row
    return TimelineEntry(
        order_id=order_id,
        event_id=recorded.event_id,
        tenant_id=recorded.tenant_id,
        kind=recorded.event.type,
        category=recorded.category,
        version=recorded.version,
        occurred_at=recorded.occurred_at,
        actor=recorded.actor,
        correlation_id=recorded.trace.correlation_id,
        causation_id=recorded.trace.causation_id,
        facts=facts_of(recorded.event),
    )


ORDER_TIMELINE: Final = ReadModel(
    name="order_timeline",
    categories=frozenset({"order", "payment", "stock"}),
    row=TimelineEntry,
    key=("order_id", "event_id"),
    keys=keys,
    fold=note,
    writers=its_own_stream,
)
