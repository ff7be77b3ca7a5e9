"""Runs a read model in memory, behind the same guard that a subscription keeps."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from infra.event_log import Stored
from projections.order_detail import ORDER_DETAILS
from projections.order_summary import ORDER_SUMMARIES
from projections.order_timeline import ORDER_TIMELINE
from projections.product_view import PRODUCTS
from projections.read_model import Key, R, ReadModel
from projections.sales import SALES_HOURS, SALES_PRODUCTS
from projections.stock_level import STOCK_LEVELS
from tests.vault import with_words

MODELS: tuple[ReadModel[Any], ...] = (
    ORDER_SUMMARIES,
    ORDER_DETAILS,
    ORDER_TIMELINE,
    STOCK_LEVELS,
    PRODUCTS,
    SALES_HOURS,
    SALES_PRODUCTS,
)


def unseen(arrivals: Iterable[Stored]) -> list[Stored]:
    """What the guard lets through: each stream's events once, in version order."""
    versions: dict[UUID, int] = {}
    passed = []
    for stored in arrivals:
        if stored.version == versions.get(stored.stream_id, 0) + 1:
            versions[stored.stream_id] = stored.version
            passed.append(stored)
    return passed


def project(model: ReadModel[R], arrivals: Iterable[Stored], *, batch_size: int = 500) -> dict[Key, R]:
    passed = with_words(unseen(stored for stored in arrivals if stored.category in model.categories))
    rows: dict[Key, R] = {}
    for start in range(0, len(passed), batch_size):
        rows |= model.changed(rows, passed[start : start + batch_size])
    return rows


@st.composite
def arrivals_of(draw: st.DrawFn, log: Sequence[Stored]) -> list[Stored]:
    """The log as an at-least-once feed may bring it: streams overtake one another, and some events come again."""
    streams: dict[UUID, list[Stored]] = {}
    for stored in log:
        streams.setdefault(stored.stream_id, []).append(stored)
    arrived: list[Stored] = []
    while streams:
        stream_id = draw(st.sampled_from(sorted(streams)))
        arrived.append(streams[stream_id].pop(0))
        if arrived and draw(st.integers(0, 4)) == 0:
            arrived.append(draw(st.sampled_from(arrived)))
        if not streams[stream_id]:
            del streams[stream_id]
    return arrived
