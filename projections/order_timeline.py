"""What happened to an order, one row per event of the order, its payment, and stock about it."""

from typing import Final

from projections.read_model import Key, ReadModel, order_of
from schemas.recorded import Recorded
from schemas.views import TimelineEntry

_TOLD: Final = {
    *("amount", "total", "sku", "quantity", "available", "picks", "carrier", "tracking", "final", "reason", "code"),
    *("shipment_id", "capture_id", "refund_id"),
}
"""Fields of events that say what happened. A list of what is told, so that a new field is untold until it is added:
never a personal one, never what the acquirer is asked with."""


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
        facts=recorded.event.model_dump(mode="json", include=_TOLD, exclude_none=True),
    )


ORDER_TIMELINE: Final = ReadModel(
    name="order_timeline",
    categories=frozenset({"order", "payment", "stock"}),
    row=TimelineEntry,
    key=("order_id", "event_id"),
    keys=keys,
    fold=note,
)
