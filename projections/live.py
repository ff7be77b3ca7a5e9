"""Keep the live figures in Redis. They may be lost at any time and are then counted anew from the log."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from infra.event_log import EventLog, Stored
from infra.live_keys import GENERATION, PREFIX, LiveKeys
from infra.subscription import Outage, Subscription
from projections.live_change import LiveChange, change_of
from schemas.ids import new_id

NAME: Final = "live_figures"
_COUNT: Final = (Path(__file__).parent / "live.lua").read_text(encoding="utf-8")
# Of several that count anew, the first is read: what has been applied since is only there.
_SHOW: Final = """
local shown = redis.call('GET', KEYS[1] .. ':generation')
if shown and redis.call('EXISTS', KEYS[1] .. ':' .. shown .. ':position') == 1 then
  return shown
end
redis.call('SET', KEYS[1] .. ':generation', ARGV[1])
return ARGV[1]
"""
_PACE_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 5.0
_PAGE: Final = 2_000
_LOST: Final = -1
_OLDER: Final = -2
_log: Final = logging.getLogger(__name__)


class FiguresLost(Exception):  # noqa: N818  # a state of the world
    """Redis was emptied or started again, so nothing may be added to what it holds before the log has been read."""


class LiveFigures:
    """A script that is atomic and guarded by version writes, so any number of writers may run at once.

    Every writer refuses to add to figures that are gone, or that a restarted server may have lost the end of, until
    somebody has made them whole from the log; all that was applied before is in the log by then.
    """

    def __init__(self, redis: Redis, log: EventLog) -> None:
        self._redis = redis
        self._log = log
        self._count = redis.register_script(_COUNT)
        self._show = redis.register_script(_SHOW)

    def subscription(self) -> Subscription:
        return Subscription(NAME, frozenset({"order"}), self.apply, pace=_PACE_SECONDS, keep=self.keep)

    async def apply(self, _: AsyncConnection[Any], batch: Sequence[Stored]) -> None:
        """Raises Outage, and what an unreadable event raises."""
        changes = [change for stored in batch if (change := change_of(stored.recorded))]
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._write(changes)
        except (RedisError, FiguresLost) as lost:
            raise Outage from lost

    async def keep(self, position: int) -> None:
        """Say in Redis that everything up to a position is counted, after making sure that it is. Raises Outage."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                told = await self._tell([], Target(position=position))
            if told[0] == _LOST:
                if position:
                    _log.warning("the live figures are lost and are counted anew")
                await self.rebuild()
            elif told[0] == _OLDER:
                await self._replay(*told[1:])
        except (RedisError, FiguresLost) as lost:
            raise Outage from lost

    async def rebuild(self) -> None:
        """Count a new generation from the whole log, show it unless another one is shown by then, remove the others.

        Raises FiguresLost when Redis is emptied or started again meanwhile.
        """
        generation, run = new_id().hex, (await self._redis.info("server"))["run_id"]
        await self._redis.set(LiveKeys(generation, "").position, 0)
        await self._count_log(generation, 0, run)
        shown = await self._show(keys=[PREFIX], args=[generation])
        kept = (GENERATION.encode(), f"{PREFIX}:{shown.decode()}:".encode())
        async for key in self._redis.scan_iter(match=f"{PREFIX}:*", count=1_000):
            if not key.startswith(kept):
                await self._redis.unlink(key)

    async def _replay(self, generation: bytes, position: bytes, run: bytes) -> None:
        if int(position) < await self._log.head():
            _log.warning("Redis has come back with older figures: reading the log after position %d", int(position))
        await self._count_log(generation.decode(), int(position), run.decode())

    async def _count_log(self, generation: str, position: int, run: str) -> None:
        head = await self._log.head()
        while position < head:
            page = await self._log.read(after=position, limit=_PAGE)
            position = page[-1].position
            await self.count(page, Target(generation, position, run))
        await self.count([], Target(generation, position, run, "vouch"))

    async def count(self, events: Sequence[Stored], target: "Target") -> None:
        """Add what can be read of some events, in the order of the log. Raises FiguresLost."""
        await self._write([change for stored in events if (change := _readable_change(stored))], target)

    async def _write(self, changes: Sequence[LiveChange], target: "Target | None" = None) -> None:
        told = await self._tell(changes, target or Target())
        if told[0] < 0:
            raise FiguresLost
        if told[0]:
            _log.error("%d events are not in the live figures: an earlier event of their order is missing", told[0])

    async def _tell(self, changes: Sequence[LiveChange], target: "Target") -> list[Any]:
        arguments = [*target, *(argument for change in changes for argument in change)]
        told: list[Any] = await self._count(keys=[PREFIX], args=arguments)
        return told


class Target(NamedTuple):
    """The first arguments of `live.lua`, in its order."""

    generation: str = ""
    position: int = 0
    run: str = ""
    vouch: str = ""


def _readable_change(stored: Stored) -> LiveChange | None:
    if stored.category != "order":
        return None
    try:
        return change_of(stored.recorded)
    except ValidationError:
        text = "event %s version %d cannot be read"  # and why is not said: the reason quotes the event
        _log.error(text, stored.stream_id, stored.version)
        return None
