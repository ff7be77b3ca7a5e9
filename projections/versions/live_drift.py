"""Look whether the live figures know some orders as the log does, while they go on."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection
from redis.asyncio import Redis

from infra.event_log import Stored
from infra.live_keys import GENERATION, PREFIX
from projections.live import NAME
from projections.live_change import change_of
from projections.versions.comparison import Comparison, Difference
from projections.versions.drift import OF_STREAMS, Drift, Look, some_streams
from projections.versions.reading import rows
from schemas.recorded import Recorded

_AGAIN_SECONDS: Final = 3.0
"""A server that was started again with older data is filled up by then."""
_KEPT: Final = timedelta(days=1)
_ENDED: Final = ("completed", "cancelled")


async def look_at_orders(connection: AsyncConnection[Any], redis: Redis, asked: Look) -> Drift:
    """Compare the status that each has there. Figures that are lost, or being counted anew, are not looked at.

    Totals are not compared, because they move meanwhile; `LiveVersions.drift` counts them anew.
    """
    streams = await some_streams(connection, NAME, {"order"}, asked)
    looked, wrong = await _compared(connection, redis, streams)
    if wrong:
        await asyncio.sleep(_AGAIN_SECONDS)
        _, wrong = await _compared(connection, redis, wrong)
    found = Comparison(NAME, rows=looked, differing=len(wrong))
    found.columns.update({"status": len(wrong)} if wrong else {})
    found.examples += [Difference((each,), ("status",), None, ()) for each in wrong]
    return Drift(found, len(streams))


async def _compared(connection: AsyncConnection[Any], redis: Redis, streams: Sequence[UUID]) -> tuple[int, list[UUID]]:
    """Give how many were looked at, and those that differ."""
    applied = await rows(connection, OF_STREAMS, {"subscription": NAME, "streams": list(streams)})
    store: Any = redis  # its types leave open whether it decodes
    generation: bytes | None = await store.get(GENERATION)
    if generation is None:
        return 0, []
    looked, wrong = 0, []
    for stream_id in streams:
        history = [stored for stored in applied if stored.stream_id == stream_id]
        shown = await store.hmget(f"{PREFIX}:{generation.decode()}:order:{stream_id}", ["version", "status"])
        if not history or (shown[0] is None and _may_be_gone(history[-1].recorded, _status(history))):
            continue
        looked += 1
        version, status = int(shown[0] or 0), (shown[1] or b"").decode()
        if version < history[-1].version or (version == history[-1].version and status != _status(history)):
            wrong.append(stream_id)
    return looked, wrong


def _status(history: Sequence[Stored]) -> str:
    changes = [change for stored in history if (change := change_of(stored.recorded))]
    return next((change.status for change in reversed(changes) if change.status), "")


def _may_be_gone(last: Recorded, status: str) -> bool:
    return status in _ENDED and last.occurred_at < datetime.now(UTC) - _KEPT
