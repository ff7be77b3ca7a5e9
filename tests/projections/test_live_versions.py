"""Generations of the live figures are counted beside, compared, switched and switched back like tables."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis

from infra.event_log import EventLog, Stored
from infra.guard import Guard
from infra.live_keys import GENERATION, PREFIX, LiveKeys
from projections.live import NAME, LiveFigures
from projections.versions.live import LiveVersions
from projections.versions.switching import NoVersion, TooDifferent
from tests.projections.conftest import write_log
from tests.projections.story import FATES
from tests.projections.test_live import expected, figures, today

pytestmark = pytest.mark.servers
Pool = AsyncConnectionPool[AsyncConnection[Any]]


class Live:
    """The live projector of the figures, and what is beside."""

    def __init__(self, dsn: str, pool: Pool, redis: Redis) -> None:
        self._dsn = dsn
        self._pool = pool
        self.redis = redis
        self.figures = LiveFigures(redis, EventLog(pool))
        self.versions = LiveVersions(pool, redis)

    async def apply(self, log: Sequence[Stored]) -> None:
        write_log(self._dsn, log)
        async with self._pool.connection() as connection, connection.transaction():
            guard = Guard(connection, NAME)
            await guard.open(log[-1].position)
            orders = [each for each in log if each.category == "order"]
            await self.figures.apply(connection, orders)
            await guard.applied({each.stream_id: each.version for each in orders})
        await self.figures.keep(log[-1].position)

    async def shown(self) -> Any:  # noqa: ANN401  # whatever the figures are
        return await figures(self.redis, datetime.now(UTC))

    async def statuses(self) -> str:
        generation = await self.redis.get(GENERATION)
        assert isinstance(generation, bytes)
        return LiveKeys(generation.decode(), "acme").statuses


@pytest.fixture
async def live(database: str, pool: Pool, redis_client: Redis) -> Live:
    made = Live(database, pool, redis_client)
    await made.figures.keep(0)
    return made


def ignore(position: int) -> None:
    del position


async def test_a_generation_is_rebuilt_switched_and_put_back_between_live_events(live: Live) -> None:
    log = today(*FATES, *FATES)
    cuts = [len(log) * part // 5 for part in range(6)]
    parts = [log[start:end] for start, end in pairwise(cuts)]
    await live.apply(parts[0])
    await live.versions.rebuild(ignore)
    await live.apply(parts[1])
    assert (await live.versions.compare()).differing == 0
    before = await live.redis.get(GENERATION)
    assert await live.versions.positions() == {"rebuilt": cuts[2]}
    await live.apply(parts[2])
    assert (await live.versions.switch(0)).differing == 0
    assert await live.redis.get(GENERATION) != before
    assert await live.shown() == expected(log[: cuts[3]])
    await live.apply(parts[3])
    assert await live.shown() == expected(log[: cuts[4]])
    await live.versions.rollback()
    assert await live.redis.get(GENERATION) == before
    assert await live.shown() == expected(log[: cuts[4]])
    await live.apply(parts[4])
    assert await live.shown() == expected(log)
    assert (await live.versions.compare()).differing == 0


async def test_a_tampered_figure_is_named_refused_and_healed(live: Live) -> None:
    log = today(*FATES)
    await live.apply(log)
    await live.redis.hincrby(await live.statuses(), "completed", 5)
    await live.versions.rebuild(ignore)
    found = await live.versions.compare()
    assert [each.key for each in found.examples] == [("acme", "statuses", "completed")]
    with pytest.raises(TooDifferent):
        await live.versions.switch(0)
    drift = await live.versions.drift(heal=False)
    assert (drift.found.differing, drift.healed, drift.figure) == (1, 0, 1 / drift.found.rows)
    assert await live.redis.hget(await live.statuses(), "completed") == b"9"
    assert (await live.versions.drift(heal=True)).healed == 1
    assert await live.shown() == expected(log)
    assert (await live.versions.drift(heal=False)).figure == 0


async def test_looking_for_drift_leaves_no_generation_behind(live: Live) -> None:
    await live.apply(today(*FATES))
    before = sorted(await live.redis.keys(f"{PREFIX}:*"))
    await live.versions.drift(heal=False)
    assert sorted(await live.redis.keys(f"{PREFIX}:*")) == before


async def test_there_is_nothing_to_switch_to_or_back_to_at_first(live: Live) -> None:
    for work in (live.versions.switch(0), live.versions.rollback(), live.versions.compare()):
        with pytest.raises(NoVersion):
            await work


async def test_an_interrupted_count_is_gone_on_with(live: Live) -> None:
    log = today(*FATES)
    await live.apply(log[:20])
    await live.versions.rebuild(ignore)
    generation = await live.redis.get(f"{PREFIX}:rebuilt")
    await live.apply(log[20:])
    assert await live.versions.rebuild(ignore) == log[-1].position
    assert await live.redis.get(f"{PREFIX}:rebuilt") == generation
    assert (await live.versions.compare()).differing == 0
