"""The live figures in a real Redis equal what the log says, whatever happens to Redis."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis

from infra.event_log import EventLog, Stored
from infra.feed import Feed
from infra.live_keys import GENERATION, RECENT, LiveKeys, last_minutes, minute_of
from infra.signals import Signals
from infra.stopping import stop
from projections.live import GenerationLost, LiveFigures
from projections.live_change import change_of
from projections.order_summary import ORDER_SUMMARIES
from schemas.views import RecentOrder
from tests.projections.conftest import write_log
from tests.projections.projecting import project
from tests.projections.story import FATES, Fate, Story, an_id, told

pytestmark = pytest.mark.servers
Figures = dict[str, Any]


def today(*fates: Fate) -> list[Stored]:
    """A log of the last minutes, because older figures are not kept."""
    start = datetime.now(UTC) - timedelta(minutes=2)
    return told(*fates, story=Story(start=start, pace=timedelta(milliseconds=10)))


def expected(log: Sequence[Stored]) -> Figures:
    rows = sorted(project(ORDER_SUMMARIES, log).values(), key=lambda row: row.placed_at, reverse=True)
    changes = [change for stored in log if (change := change_of(stored.recorded))]
    return {
        "position": log[-1].position,
        "statuses": dict(Counter(row.status for row in rows)),
        "minutes": dict(Counter(minute_of(row.placed_at) for row in rows)),
        "revenue": sum(change.revenue for change in changes),
        "recent": [(row.order_id, row.status, row.total) for row in rows[:RECENT]],
    }


async def figures(redis: Redis, now: datetime) -> Figures:
    """Read as the query API would: the generation, then everything in it at one instant."""
    generation = await redis.get(GENERATION)
    assert isinstance(generation, bytes)
    keys = LiveKeys(generation.decode(), "acme")
    async with redis.pipeline(transaction=True) as asked:
        asked.get(keys.position)
        asked.hgetall(keys.statuses)
        asked.hgetall(keys.revenue(now))
        asked.zrevrange(keys.recent, 0, -1)
        asked.hgetall(keys.recent_summaries)
        asked.hgetall(keys.recent_statuses)
        asked.mget([keys.minute(minute) for minute in last_minutes(now)])
        position, statuses, revenue, newest_first, summaries, recent_statuses, minutes = await asked.execute()
    recent = [
        RecentOrder.model_validate_json(summaries[order_id][:-1] + b',"status":"' + recent_statuses[order_id] + b'"}')
        for order_id in newest_first
    ]
    counted = zip(last_minutes(now), minutes, strict=True)
    return {
        "position": int(position or 0),
        "statuses": {status.decode(): int(number) for status, number in statuses.items() if int(number)},
        "minutes": {minute_of(minute): int(number) for minute, number in counted if number},
        "revenue": sum(int(amount) for amount in revenue.values()),
        "recent": [(order.order_id, order.status, order.total) for order in recent],
    }


@pytest.fixture
async def live(
    database: str, pool: AsyncConnectionPool[AsyncConnection[Any]], redis_client: Redis
) -> AsyncIterator[LiveFigures]:
    """Live figures of an empty log."""
    log = EventLog(pool)
    async with Signals(database) as signals, Feed(log, signals) as feed:
        yield LiveFigures(redis_client, feed, log)


@pytest.mark.parametrize("batch_size", [1, 7, 10_000])
async def test_figures_equal_the_log_whatever_the_batches(
    live: LiveFigures, redis_client: Redis, batch_size: int
) -> None:
    log = today(*FATES, *FATES)
    generation, position = await live.open()
    for start in range(0, len(log), batch_size):
        position = await live.write(generation, log[start : start + batch_size], position)
    assert await figures(redis_client, datetime.now(UTC)) == expected(log)


async def test_a_repeated_batch_changes_nothing(live: LiveFigures, redis_client: Redis) -> None:
    log = today(*FATES)
    generation, position = await live.open()
    position = await live.write(generation, log, position)
    await live.write(generation, log[5:], position)
    assert await figures(redis_client, datetime.now(UTC)) == expected(log)


async def test_a_writer_that_lags_behind_does_not_take_the_position_back(
    live: LiveFigures, redis_client: Redis
) -> None:
    log = today(*FATES)
    generation, position = await live.open()
    await live.write(generation, log, position)
    await live.write(generation, log[:5], position)
    assert await figures(redis_client, datetime.now(UTC)) == expected(log)


async def test_only_the_newest_orders_are_recent(live: LiveFigures, redis_client: Redis) -> None:
    log = today(*FATES[:1] * (RECENT + 3))
    generation, position = await live.open()
    await live.write(generation, log, position)
    shown = await figures(redis_client, datetime.now(UTC))
    assert len(shown["recent"]) == RECENT
    assert shown == expected(log)


async def test_an_order_with_a_missing_event_stays_as_it_was(
    live: LiveFigures, redis_client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    log = today("delivered", "short")
    generation, position = await live.open()
    holed = [s for s in log if not (s.stream_id == an_id("order", 0) and s.topic == "order.confirmed.v1")]
    await live.write(generation, holed, position)
    shown = await figures(redis_client, datetime.now(UTC))
    assert shown["statuses"] == {"placed": 1, "cancelled": 1}
    assert "3 events are not in the live figures" in caplog.text


async def test_an_event_that_cannot_be_read_is_said_and_passed_over(
    live: LiveFigures, redis_client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    *log, last = today("delivered")
    garbled = Stored(last.position, last.stream_id, last.version, last.topic, b'{"name": "Zoe"}')
    generation, position = await live.open()
    await live.write(generation, [*log, garbled], position)
    assert (await figures(redis_client, datetime.now(UTC)))["statuses"] == {"delivered": 1}
    assert f"{last.stream_id} version {last.version} cannot be read" in caplog.text
    assert "Zoe" not in caplog.text


async def test_a_lost_generation_is_not_written_to(live: LiveFigures, redis_client: Redis) -> None:
    generation, position = await live.open()
    await redis_client.flushdb()
    with pytest.raises(GenerationLost):
        await live.write(generation, today("short"), position)
    assert await redis_client.dbsize() == 0


async def test_figures_are_counted_from_a_log_that_was_there_before(
    live: LiveFigures, redis_client: Redis, database: str
) -> None:
    log = today(*FATES)
    write_log(database, log)
    await live.open()
    assert await figures(redis_client, datetime.now(UTC)) == expected(log)


async def test_a_restart_continues_the_same_generation(live: LiveFigures, database: str) -> None:
    write_log(database, today(*FATES))
    assert await live.open() == await live.open()


async def test_a_rebuild_leaves_one_generation(live: LiveFigures, redis_client: Redis, database: str) -> None:
    log = today(*FATES)
    write_log(database, log)
    await live.open()
    size = await redis_client.dbsize()
    await live.rebuild()
    assert await redis_client.dbsize() == size
    assert await figures(redis_client, datetime.now(UTC)) == expected(log)


async def test_a_generation_without_its_position_is_counted_anew(live: LiveFigures, redis_client: Redis) -> None:
    generation, _ = await live.open()
    await redis_client.delete(LiveKeys(generation, "acme").position)
    assert (await live.open())[0] != generation


async def reaches(redis: Redis, log: Sequence[Stored]) -> Figures:
    """Wait until the figures have reached the end of the log."""
    async with asyncio.timeout(20):
        while True:
            if await redis.exists(GENERATION):
                shown = await figures(redis, datetime.now(UTC))
                if shown["position"] >= log[-1].position:
                    return shown
            await asyncio.sleep(0.01)


async def test_a_flushed_redis_is_noticed_and_filled_again(
    live: LiveFigures, redis_client: Redis, database: str
) -> None:
    log = today(*FATES)
    half = len(log) // 2
    write_log(database, log[:half])
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(live.run())
        assert await reaches(redis_client, log[:half]) == expected(log[:half])
        await redis_client.flushdb()
        assert await reaches(redis_client, log[:half]) == expected(log[:half])
        write_log(database, log[half:])
        assert await reaches(redis_client, log) == expected(log)
        following.cancel()


async def test_an_unreachable_redis_is_waited_for(
    database: str, pool: AsyncConnectionPool[AsyncConnection[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    log, nobody = EventLog(pool), Redis.from_url("unix:///nowhere/redis.sock")
    async with Signals(database) as signals, Feed(log, signals) as feed, nobody:
        waiting = asyncio.create_task(LiveFigures(nobody, feed, log).run())
        async with asyncio.timeout(20):
            while "live figures wait for a server: ConnectionError" not in caplog.text:
                assert not waiting.done()
                await asyncio.sleep(0.01)
        await stop([waiting])
    assert waiting.cancelled()
