"""Look for drift every so often, at little of it at a time, and write down what was found. Nothing is healed."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from infra.exclusive import Busy, exclusive
from infra.instants import ends
from infra.vault import Vault
from projections.live import NAME
from projections.main import READ_MODELS
from projections.order_summary import ORDER_SUMMARIES
from projections.read_model import ReadModel, nobody_in_particular
from projections.versions.drift import Drift, Drifting, Look, note
from projections.versions.live_drift import look_at_orders
from projections.versions.reading import as_they_are

SAMPLE: Final = 20
"""Streams, for each projection."""
MOST: Final = 10_000
"""Events that they may have together, so that a look is never long."""
WHOLE: Final = 20_000
"""Events that the log may have where all of it must be read."""
_FIRST_SECONDS: Final = 60.0
_EARLY: Final = 0.5
"""Of the seconds between looks: another process has looked less long ago than that, so it is not our turn."""
_SINCE: Final = "SELECT extract(epoch FROM now() - looked_at)::float FROM drift_looks WHERE projection = ANY(%s)"
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Watch:
    """Of several processes one looks at a time; any may be the next."""

    pool: AsyncConnectionPool[AsyncConnection[Any]]
    redis: Redis
    vault: Vault

    async def keep(self, every: float) -> None:
        """Look soon, and then every so many seconds until cancelled."""
        pause = min(every, _FIRST_SECONDS)
        while True:
            await asyncio.sleep(pause)
            pause = every
            try:
                await self.look(unless_within=_EARLY * every)
            except Busy:
                continue
            except (psycopg.OperationalError, psycopg.errors.UndefinedTable, RedisError, ValidationError) as error:
                _log.warning("Nobody looks for drift for now: %s", type(error).__name__)

    async def look(self, *, unless_within: float = 0.0) -> None:
        """Look once at everything; each projection that differs is an alarm in the log. Raises Busy."""
        async with self.pool.connection() as connection, exclusive(connection, "drift"):
            _, head = await ends(connection)
            models = [each for each in READ_MODELS if each.writers is not nobody_in_particular or head <= WHOLE]
            names = [NAME, *(model.name for model in models)]
            since = await (await connection.execute(_SINCE, (names,))).fetchall()
            if len(since) == len(names) and all(seconds < unless_within for (seconds,) in since):
                return
            for model in models:
                await self._noted(connection, await self._of(connection, model))
            await self._noted(connection, await look_at_orders(connection, self.redis, Look(SAMPLE, most=MOST)))

    async def _of(self, connection: AsyncConnection[Any], model: ReadModel[Any]) -> Drift:
        prepare = self.vault.findable if model is ORDER_SUMMARIES else as_they_are
        return await Drifting(connection, model, prepare).look(Look(SAMPLE, most=MOST))

    async def _noted(self, connection: AsyncConnection[Any], drift: Drift) -> None:
        await note(connection, drift)
        found = drift.found
        if found.differing:
            _log.error(
                "%s: %d of %d rows differ from the log, in %s. `orderflow projection drift %s` names and heals them.",
                found.projection,
                found.differing,
                found.rows,
                ", ".join(found.columns) or "whole rows",
                found.projection,
            )
