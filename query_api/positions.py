"""How far each read model is, watched once for all requests, so that a client can read its own writes."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from infra.event_log import HEAD
from infra.pace import Pace
from infra.signals import PROJECTED, Signals

POLL_SECONDS: Final = 0.25
_PACE_SECONDS: Final = 0.005
USUAL_SECONDS: Final = 0.1
"""A position is mostly reached within this time, and then nobody needs to ask whether the log has it."""

_READ: Final = "SELECT subscription, position FROM subscription_positions"

_log: Final = logging.getLogger(__name__)


class ReadModelBehind(Exception):  # noqa: N818  # a state of the world, not a fault
    """The read model did not reach the position asked for within the time that the caller would wait."""


class PositionUnknown(Exception):  # noqa: N818  # a state of the world
    """No write has answered with the position asked for: the log is not that long."""


class Positions:
    """Positions as last read: never ahead of what a query sees afterwards, at most a quarter of a second old."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], signals: Signals) -> None:
        self._pool = pool
        self._signals = signals
        self._positions: Mapping[str, int] = {}
        self._read = asyncio.Event()

    def of(self, read_model: str) -> int:
        """Position that the read model has reached: it holds everything up to it. 0 when it has not started."""
        return self._positions.get(read_model, 0)

    async def reach(self, read_model: str, position: int, *, within: float | None) -> None:
        """Return when the read model holds all up to `position`.

        Raises PositionUnknown soon, ReadModelBehind after `within` seconds.
        """
        patience = USUAL_SECONDS if within is None else min(within, USUAL_SECONDS)
        if not await self._reached(read_model, position, patience):
            await self.known(position)
            if not await self._reached(read_model, position, None if within is None else within - patience):
                raise ReadModelBehind

    async def _reached(self, read_model: str, position: int, within: float | None) -> bool:
        try:
            async with asyncio.timeout(within):
                while self.of(read_model) < position:
                    await self._read.wait()
        except TimeoutError:
            return False
        return True

    async def known(self, position: int) -> None:
        """Raise PositionUnknown unless the log has reached `position`, however far the read models are."""
        async with self._pool.connection() as connection:
            head = await (await connection.execute(HEAD)).fetchone()
        if head is None or position > head[0]:
            raise PositionUnknown

    async def watch(self) -> None:
        """Keep the positions fresh until cancelled. An unreachable database leaves the last ones standing."""
        waiter, pace = self._signals.waiter(PROJECTED), Pace(_PACE_SECONDS)
        while True:
            await pace.keep()
            try:
                await self._refresh()
            except (psycopg.Error, PoolTimeout) as failure:
                _log.warning("cannot read positions: %s", type(failure).__name__)
            await waiter.wait(POLL_SECONDS)

    async def _refresh(self) -> None:
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(_READ)).fetchall()
        self._positions = dict(rows)
        self._read.set()
        self._read = asyncio.Event()
