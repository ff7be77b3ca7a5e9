"""What an order event changes in the live figures; the pure half of `live.py`."""

from typing import NamedTuple

from projections.order_status import status_after
from projections.sales import sale_of
from schemas.events.order import OrderEvent, OrderPlaced
from schemas.recorded import Recorded
from schemas.views import NO_CURRENCY, RecentOrder


class LiveChange(NamedTuple):
    """The arguments of `live.lua` for one event, in its order."""

    order_id: str
    tenant_id: str
    version: int
    status: str
    """Empty when the event leaves it as it was."""
    occurred_ms: int
    summary: str
    """`RecentOrder` without its status, as JSON, when the order was placed; otherwise empty."""
    currency: str
    revenue: int
    """Minor units; negative when taken back, 0 when the event is no sale."""


def change_of(recorded: Recorded) -> LiveChange | None:
    """Give None for an event that the live figures are not about."""
    event = recorded.event
    if not isinstance(event, OrderEvent):
        return None
    sale = sale_of(event)
    return LiveChange(
        order_id=str(recorded.stream_id),
        tenant_id=recorded.tenant_id,
        version=recorded.version,
        status=status_after(event) or "",
        occurred_ms=int(recorded.occurred_at.timestamp() * 1000),
        summary=_summary(event, recorded) if isinstance(event, OrderPlaced) else "",
        currency=sale[1].total.currency if sale else NO_CURRENCY,
        revenue=sale[0] * sale[1].total.amount if sale else 0,
    )


def _summary(event: OrderPlaced, recorded: Recorded) -> str:
    return RecentOrder(
        order_id=recorded.stream_id,
        status="placed",
        first_line=event.lines[0].name,
        item_count=sum(line.quantity for line in event.lines),
        total=event.total,
        placed_at=recorded.occurred_at,
    ).model_dump_json(exclude={"status"})
