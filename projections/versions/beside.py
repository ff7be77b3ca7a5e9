"""Finds the versions of a projection by its name, whatever it is kept in."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis
from redis.exceptions import RedisError

from infra.settings import Settings
from infra.signals import Signals
from infra.tenant_keys import TenantKeys
from infra.vault import Vault
from projections.live import NAME
from projections.main import READ_MODELS
from projections.order_summary import ORDER_SUMMARIES
from projections.read_model import ReadModel
from projections.versions.build import Advanced
from projections.versions.comparison import Comparison
from projections.versions.drift import Drift, Drifting, Look
from projections.versions.live import LiveVersions
from projections.versions.overview import versions
from projections.versions.reading import USUAL, Steps
from projections.versions.switching import Versions


class Beside(Protocol):
    """The serving version, the one that is rebuilt beside it, and the previous one."""

    async def live_position(self) -> int: ...

    async def rebuild(self, advanced: Advanced, *, restart: bool = False) -> int:
        """Gives the position reached."""

    async def compare(self, *, examples: int = 20) -> Comparison: ...

    async def switch(self, tolerance: int) -> Comparison: ...

    async def rollback(self) -> None: ...


@asynccontextmanager
async def beside(
    name: str, pool: AsyncConnectionPool[AsyncConnection[Any]], settings: Settings
) -> AsyncIterator[Beside]:
    if name == NAME:
        async with Redis.from_url(settings.redis_url.get_secret_value()) as redis:
            yield LiveVersions(pool, redis)
        return
    [model] = [model for model in READ_MODELS if model.name == name]
    yield Versions(pool, model, steps_for([model], pool, settings))


async def positions(pool: AsyncConnectionPool[AsyncConnection[Any]], settings: Settings) -> dict[str, dict[str, int]]:
    """Tell how far the versions in each place are, by projection; without those in Redis while that is away."""
    async with pool.connection() as connection:
        found = await versions(connection)
    with suppress(RedisError):
        async with Redis.from_url(settings.redis_url.get_secret_value()) as redis:
            for place, position in (await LiveVersions(pool, redis).positions()).items():
                found[place][NAME] = position
    return found


async def drifting(
    name: str,
    pool: AsyncConnectionPool[AsyncConnection[Any]],
    settings: Settings,
    look: Look,
) -> Drift:
    """Look for drift in what is served, whatever it is kept in."""
    if name == NAME:
        async with Redis.from_url(settings.redis_url.get_secret_value()) as redis:
            return await LiveVersions(pool, redis).drift(heal=look.heal)
    [model] = [model for model in READ_MODELS if model.name == name]
    async with pool.connection() as connection:
        await connection.execute("SET statement_timeout = 0")
        return await Drifting(connection, model, steps_for([model], pool, settings).prepare).look(look)


def steps_for(
    models: Sequence[ReadModel[Any]], pool: AsyncConnectionPool[AsyncConnection[Any]], settings: Settings
) -> Steps:
    """Prepare events as the live projector does for some of these; raises NotStarted without the secret for it."""
    if ORDER_SUMMARIES not in models:
        return USUAL
    vault = Vault(pool, Signals(settings.postgres_dsn.get_secret_value()), TenantKeys.of_settings(settings))
    return Steps(prepare=vault.findable)
