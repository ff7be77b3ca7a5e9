"""The past of the order and the product that every answer of the API shows: examples of the OpenAPI document."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from query_api.history.answers import Difference, PastPoint, PastState, PatchOperation
from query_api.history.story_parts import StoryEntry, Waiting
from schemas.ids import product_id
from schemas.views import Row

_AT: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
_LATER: Final = _AT + timedelta(hours=2)
_REQUEST: Final = UUID("01981d3c-7cf0-7b20-9c3d-2f1e0d9c8b7a")
_SKU: Final = "BEANS-MINAS-250"
_NAME: Final = "Minas Gerais, natural, 250 g"
_PRODUCT: Final = product_id("roastery", _SKU)
_BEFORE: Final = PastPoint(version=1, recorded_at=_AT, event_id=UUID("01981d3c-7d00-7e4f-8a1b-9c0d1e2f3a4b"))
_EVENT: Final = UUID("01981d3c-7cf9-7c31-8e5d-7f8a9b0c1d2e")
_STORY: Final = (
    StoryEntry(
        entry_id=_REQUEST,
        caused_by=None,
        depth=0,
        kind="request",
        name="user:marta",
        who="user:marta",
        why="from outside",
        at=_AT,
        elapsed=None,
        facts={},
    ),
    StoryEntry(
        entry_id=_EVENT,
        caused_by=_REQUEST,
        depth=1,
        kind="event",
        name="order.placed.v2",
        who="user:marta",
        why="because user:marta asked",
        at=_AT,
        elapsed=0.0,
        facts={"version": 1, "total": {"amount": 1900, "currency": "EUR"}},
    ),
)
_WAITING: Final = (
    Waiting(for_what="order_fulfilment waits for stock for 1 line", since=_AT, until=_AT + timedelta(seconds=30)),
)
STORY: Final[dict[str, Any]] = {
    "story": [entry.model_dump(mode="json") for entry in _STORY],
    "waiting": [each.model_dump(mode="json") for each in _WAITING],
}
PAST: Final[tuple[Row, ...]] = (
    PastState(
        category="product",
        stream_id=_PRODUCT,
        at=_BEFORE,
        state={
            "sku": _SKU,
            "name": _NAME,
            "description": None,
            "price": {"amount": 950, "currency": "EUR"},
            "on_sale": True,
        },
    ),
    Difference(
        category="product",
        stream_id=_PRODUCT,
        before=_BEFORE,
        after=PastPoint(version=2, recorded_at=_LATER, event_id=UUID("01981daa-5b00-7d2e-9f10-3c4d5e6f7a8b")),
        patch=(PatchOperation(op="replace", path="/price", value={"amount": 990, "currency": "EUR"}),),
        sentences=("The price changed from 9.50 EUR to 9.90 EUR.",),
    ),
)
