"""What a dead letter would change in the read models is told row by row, and does not change."""

from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from pydantic import SecretStr
from redis.asyncio import Redis

from infra.consumers import EventConsumer, opener
from infra.dead_letters import letters
from infra.event_log import load
from infra.guard import Guard
from infra.redelivery import Redelivery
from infra.settings import Settings
from tests.appending import appending, open_log
from tests.examples import ORDER_ID, cancelled, history, placed

pytestmark = pytest.mark.servers

Pool = AsyncConnectionPool[AsyncConnection[Any]]


async def count(pool: Pool) -> tuple[Any, ...] | None:
    async with pool.connection() as connection:
        cursor = await connection.execute("SELECT (SELECT count(*) FROM order_summaries), count(*) FROM order_timeline")
        return await cursor.fetchone()


async def test_rows_that_would_change_are_named_without_what_they_hold(database: str, pool: Pool) -> None:
    async with open_log(database) as log:
        await log.appender.append(appending(*history(placed(), cancelled())))
    async with pool.connection() as connection, connection.transaction():
        guard = Guard(connection, "order_views")
        first, second = await load(connection, ORDER_ID)
        await guard.park(first, error="ZeroDivisionError", attempts=3)
        await guard.hold(second)
    redelivery = Redelivery(Settings(), pool, actor="ana")
    async with pool.connection() as connection:
        [letter] = await letters(connection)
    results = await redelivery.retry(letter, rehearse=True)
    assert [result.outcome for result in results] == ["succeed", "succeed"]
    assert f"adds order_summaries {ORDER_ID}" in results[0].changes
    [summary] = [change for change in results[1].changes if change.startswith("changes order_summaries")]
    assert "status" in summary
    assert "Ana" not in str([result.changes for result in results])
    assert await count(pool) == (0, 0)
    await redelivery.retry(letter)
    assert await count(pool) == (1, 2)


async def test_the_live_figures_are_not_rehearsed_but_retried(database: str, pool: Pool, redis_url: str) -> None:
    settings = Settings(redis_url=SecretStr(redis_url))
    async with opener("live_figures")(settings, pool) as consumer:
        assert isinstance(consumer, EventConsumer)
        assert consumer.subscription.keep
        await consumer.subscription.keep(0)
    async with open_log(database) as log:
        await log.appender.append(appending(*history(placed())))
    async with pool.connection() as connection, connection.transaction():
        [stored] = await load(connection, ORDER_ID)
        await Guard(connection, "live_figures").park(stored, error="ZeroDivisionError", attempts=3)
        [letter] = await letters(connection)
    redelivery = Redelivery(settings, pool, actor="ana")
    async with Redis.from_url(redis_url) as redis:
        before = await redis.keys("*")
        assert [result.outcome for result in await redelivery.retry(letter, rehearse=True)] == ["unknown"]
        assert sorted(await redis.keys("*")) == sorted(before)
        assert [result.outcome for result in await redelivery.retry(letter)] == ["succeed"]
        assert len(await redis.keys("*")) > len(before)
