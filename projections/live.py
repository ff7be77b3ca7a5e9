"""Keep the live figures in Redis. They may be lost at any time and are then counted anew from the log."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from infra.event_log import EventLog, Stored
from infra.feed import Feed
from infra.live_keys import GENERATION, PREFIX, LiveKeys
from infra.pace import Pace
from projections.live_change import LiveChange, change_of
from schemas.ids import new_id

_SCRIPT: Final = (Path(__file__).parent / "live.lua").read_text(encoding="utf-8")
_PACE_SECONDS: Final = 0.1
_RETRY_SECONDS: Final = 1.0
_log: Final = logging.getLogger(__name__)


class GenerationLost(Exception):  # noqa: N818  # a state of the world
    """Redis was emptied, or another process has counted anew."""


class LiveFigures:
    """One script call per batch, atomic and guarded by version, so any number of writers may run at once."""

    def __init__(self, redis: Redis, feed: Feed, log: EventLog) -> None:
        self._redis = redis
        self._feed = feed
        self._log = log
        self._script = redis.register_script(_SCRIPT)

    async def run(self) -> None:
        """Follow the log until cancelled."""
        while True:
            try:
                await self._follow(*await self.open())
            except GenerationLost:
                _log.warning("the live figures are lost and will be counted anew")
            except (RedisError, psycopg.OperationalError, PoolTimeout) as lost:
                _log.warning("live figures wait for a server: %s", type(lost).__name__)
                await asyncio.sleep(_RETRY_SECONDS)

    async def open(self) -> tuple[str, int]:
        """Give the generation to continue, counting a new one when there is none, and the position it has reached."""
        generation = await self._serving()
        if generation is not None:
            position = await self._redis.get(_position_key(generation))
            if position is not None:
                return generation, int(position)
        return await self.rebuild()

    async def rebuild(self) -> tuple[str, int]:
        """Count a new generation from the whole log beside the one that is read, then switch and remove the others.

        Raises GenerationLost when Redis is emptied meanwhile.
        """
        generation, position, head = new_id().hex, 0, await self._log.head()
        await self._redis.set(_position_key(generation), 0)
        while position < head:
            position = await self.write(generation, await self._feed.read(after=position, limit=2_000), position)
        await self._redis.set(GENERATION, generation)
        kept = (GENERATION.encode(), f"{PREFIX}:{generation}:".encode())
        async for key in self._redis.scan_iter(match=f"{PREFIX}:*", count=1_000):
            if not key.startswith(kept):
                await self._redis.unlink(key)
        return generation, position

    async def write(self, generation: str, batch: Sequence[Stored], position: int) -> int:
        """Count a batch, in one call; gives the position reached. Raises GenerationLost."""
        if not batch:
            return position
        changes = [change for stored in batch if (change := _readable_change(stored))]
        reached = max(position, batch[-1].position)
        arguments = [generation, reached, *(argument for change in changes for argument in change)]
        left_out = int(await self._script(keys=[PREFIX], args=arguments))
        if left_out < 0:
            raise GenerationLost
        if left_out:
            _log.error("%d events are not in the live figures: an earlier event of their order is missing", left_out)
        return reached

    async def _follow(self, generation: str, position: int) -> None:
        pace = Pace(_PACE_SECONDS)
        while True:
            await pace.keep()
            batch = await self._feed.read(after=position)
            if not batch and await self._serving() != generation:
                raise GenerationLost
            position = await self.write(generation, batch, position)

    async def _serving(self) -> str | None:
        generation = await self._redis.get(GENERATION)
        return generation.decode() if isinstance(generation, bytes) else generation


def _position_key(generation: str) -> str:
    return LiveKeys(generation, "").position


def _readable_change(stored: Stored) -> LiveChange | None:
    if stored.category != "order":
        return None
    try:
        return change_of(stored.recorded)
    except ValidationError:
        text = "event %s version %d cannot be read"  # and why is not said: the reason quotes the event
        _log.error(text, stored.stream_id, stored.version)
        return None
