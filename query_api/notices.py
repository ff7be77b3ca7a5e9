"""What changed about which order, told once it can be read in the order list."""

import asyncio
import logging
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout
from pydantic import ValidationError

from infra.event_log import EventLog, Stored
from infra.feed import Feed
from infra.pace import Pace
from query_api.listing import Pool
from query_api.positions import Positions
from schemas.base import Instant
from schemas.events.order import OrderEvent
from schemas.events.payment import PaymentEvent
from schemas.views import FED_BY, OrderStatus, PaymentStatus, Row

_RING: Final = 8_192
_PAGE: Final = 500
_PRELOADED: Final = 2_000
"""Log positions before the head that a fresh process reads first, so that its clients resume from memory."""
_PACE_SECONDS: Final = 0.1
_RETRY_SECONDS: Final = 0.5
_REPLAYS: Final = 2
_ROWS: Final = """
SELECT order_id, tenant_id, customer_id, status, payment_status FROM order_summaries
WHERE order_id = ANY(%s) AND version > 0
"""
_position: Final = attrgetter("position")
_log: Final = logging.getLogger(__name__)


class Change(Row):
    """One event of an order or of its payment. No personal field."""

    order_id: UUID
    type: str
    """The event's wire name, such as `order.confirmed.v1`."""
    version: int
    """Of the event's own stream."""
    occurred_at: Instant
    status: OrderStatus
    """Of the order when this was sent; it may already be newer than the event."""
    payment_status: PaymentStatus
    position: int
    """Good for `min_position`."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A change, who may hear of it, and its JSON, encoded once for all who do."""

    position: int
    tenant_id: str
    customer_id: UUID
    order_id: UUID
    change: Change
    data: str


class Notices:
    """The newest notices in memory, the log behind them. `run` feeds it; any number of streams read it."""

    def __init__(self, feed: Feed, log: EventLog, pool: Pool, positions: Positions) -> None:
        self._feed = feed
        self._log = log
        self._pool = pool
        self._positions = positions
        self._pace = Pace(_PACE_SECONDS)
        self._ring: list[Notice] = []
        self._floor = 0
        """Every notice after this position, up to `position`, is in the ring."""
        self.position = 0
        """Everything up to it has been told or needs no telling."""
        self.closed = False
        self._grown = asyncio.Event()
        self._replays = asyncio.Semaphore(_REPLAYS)

    async def run(self) -> None:
        """Follow the log until cancelled."""
        begun = False
        while True:
            try:
                if not begun:
                    self._floor = self.position = max(await self._log.head() - _PRELOADED, 0)
                    begun = True
                await self._take()
            except (psycopg.OperationalError, PoolTimeout) as lost:
                _log.warning("notices wait for the database: %s", type(lost).__name__)
                await asyncio.sleep(_RETRY_SECONDS)

    def close(self) -> None:
        """End every stream: nothing will follow."""
        self.closed = True
        self._wake()

    async def read(self, *, after: int, wait: float) -> tuple[list[Notice], int]:
        """Give notices after a position and the position they reach; waits for one up to `wait` seconds.

        Raises psycopg.OperationalError or psycopg_pool.PoolTimeout when what is not in memory cannot be read.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                while after >= self.position and not self.closed:
                    await self._grown.wait()
        if after < self._floor:
            return await self._replay(after)
        start = bisect_right(self._ring, after, key=_position)
        return self._ring[start : start + _PAGE], self._reached(start, after)

    def _reached(self, start: int, after: int) -> int:
        if start + _PAGE < len(self._ring):
            return self._ring[start + _PAGE - 1].position
        return max(after, self.position)

    async def _replay(self, after: int) -> tuple[list[Notice], int]:
        async with self._replays:
            batch = [each for each in await self._log.read(after=after, limit=_PAGE) if each.position <= self.position]
            return await self._visible(batch), batch[-1].position if batch else self.position

    async def _take(self) -> None:
        await self._pace.keep()
        batch = await self._feed.read(after=self.position, limit=_PAGE)
        if batch:
            reached = batch[-1].position
            await self._positions.reach(FED_BY["order_summaries"], reached, within=None)
            self._ring += await self._visible(batch)
            self.position = reached
            if len(self._ring) > _RING:
                self._floor = self._ring[-_RING - 1].position
                del self._ring[:-_RING]
            self._wake()

    def _wake(self) -> None:
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    async def _visible(self, batch: Sequence[Stored]) -> list[Notice]:
        about = [(stored, order_id) for stored in batch if (order_id := _order_of(stored))]
        if not about:
            return []
        async with self._pool.connection() as connection:
            found = await connection.execute(_ROWS, (list({order_id for _, order_id in about}),))
            rows: dict[UUID, Any] = {row[0]: row for row in await found.fetchall()}
        return [_notice(stored, rows[order_id]) for stored, order_id in about if order_id in rows]


def _order_of(stored: Stored) -> UUID | None:
    if stored.category not in {"order", "payment"}:
        return None
    try:
        event = stored.recorded.event
    except ValidationError:
        return None
    if isinstance(event, OrderEvent):
        return stored.stream_id
    return event.order_id if isinstance(event, PaymentEvent) else None


def _notice(stored: Stored, row: tuple[UUID, str, UUID, OrderStatus, PaymentStatus]) -> Notice:
    order_id, tenant_id, customer_id, status, payment_status = row
    change = Change(
        order_id=order_id,
        type=stored.topic,
        version=stored.version,
        occurred_at=stored.recorded.occurred_at,
        status=status,
        payment_status=payment_status,
        position=stored.position,
    )
    return Notice(stored.position, tenant_id, customer_id, order_id, change, change.model_dump_json())
