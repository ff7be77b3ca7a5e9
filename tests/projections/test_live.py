"""The live figures in a real Redis equal what the log says, whatever happens to Redis."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from infra.event_log import EventLog, Stored
from infra.feed import Feed
from infra.live_keys import GENERATION, RECENT, LiveKeys, last_minutes, minute_of
from infra.log_subscriptions import LogSubscriptions
from infra.signals import Signals
from infra.stopping import stop
from infra.subscription import Outage
from projections.live import LiveFigures
from projections.live_change import change_of
from projections.order_summary import ORDER_SUMMARIES
from schemas.views import RecentOrder
from tests.projections.conftest import write_log
from tests.projections.projecting import project
from tests.projections.story import FATES, Fate, Story, an_id, told
from tests.redis_server import kept_server
from tests.waiting import eventually

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
def live(pool: AsyncConnectionPool[AsyncConnection[Any]], redis_client: Redis) -> LiveFigures:
    return LiveFigures(redis_client, EventLog(pool))


Count = Callable[..., Awaitable[None]]


@pytest.fixture
async def count(live: LiveFigures, connection: AsyncConnection[Any]) -> Count:
    """Count a batch as a subscription would, in figures that are shown already."""
    await live.keep(0)

    async def counted(batch: Sequence[Stored], *, reached: int | None = None) -> None:
        await live.apply(connection, batch)
        await live.keep(batch[-1].position if reached is None else reached)

    return counted


@pytest.mark.parametrize("batch_size", [1, 7, 10_000])
async def test_figures_equal_the_log_whatever_the_batches(count: Count, redis_client: Redis, batch_size: int) -> None:
    log = today(*FATES, *FATES)
    for start in range(0, len(log), batch_size):
        await count(log[start : start + batch_size])
    assert await figures(redis_client, datetime.now(UTC)) == expected(log)


async def test_a_repeated_batch_changes_nothing(count: Count, redis_client: Redis) -> None:
    log = today(*FATES)
    await count(log)
    await count(log[5:])
    assert await figures(redis_client, datetime.now(UTC)) == expected(log)


async def test_a_writer_that_lags_behind_does_not_take_the_position_back(count: Count, redis_client: Redis) -> None:
    log = today(*FATES)
    await count(log)
    await count(log[:5])
    assert await figures(redis_client, datetime.now(UTC)) == expected(log)


async def test_the_position_is_that_of_the_subscription_not_that_of_the_newest_event(
    count: Count, redis_client: Redis
) -> None:
    log = today(*FATES)
    await count(log, reached=3)
    assert (await figures(redis_client, datetime.now(UTC)))["position"] == 3


async def test_only_the_newest_orders_are_recent(count: Count, redis_client: Redis) -> None:
    log = today(*FATES[:1] * (RECENT + 3))
    await count(log)
    shown = await figures(redis_client, datetime.now(UTC))
    assert len(shown["recent"]) == RECENT
    assert shown == expected(log)


async def test_an_order_with_a_missing_event_stays_as_it_was(
    count: Count, redis_client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    log = today("delivered", "short")
    await count([s for s in log if not (s.stream_id == an_id("order", 0) and s.topic == "order.confirmed.v1")])
    shown = await figures(redis_client, datetime.now(UTC))
    assert shown["statuses"] == {"placed": 1, "cancelled": 1}
    assert "3 events are not in the live figures" in caplog.text


async def test_counting_anew_passes_over_an_event_that_cannot_be_read(
    live: LiveFigures, redis_client: Redis, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    *log, last = today("delivered")
    garbled = Stored(last.position, last.stream_id, last.version, last.topic, b'{"name": "Zoe"}')
    write_log(database, [*log, garbled])
    await live.keep(0)
    assert (await figures(redis_client, datetime.now(UTC)))["statuses"] == {"delivered": 1}
    assert f"{last.stream_id} version {last.version} cannot be read" in caplog.text
    assert "Zoe" not in caplog.text


async def test_nothing_is_added_to_figures_that_are_lost(count: Count, redis_client: Redis) -> None:
    await redis_client.flushdb()
    with pytest.raises(Outage):
        await count(today("short"))
    assert await redis_client.dbsize() == 0


async def test_only_what_was_counted_before_is_told_to_be_lost(
    live: LiveFigures, redis_client: Redis, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    log = today("short")
    write_log(database, log)
    await live.keep(0)
    assert caplog.text == ""
    await redis_client.flushdb()
    await live.keep(log[-1].position)
    assert "the live figures are lost and are counted anew" in caplog.text


async def test_figures_are_counted_from_a_log_that_was_there_before(
    live: LiveFigures, redis_client: Redis, database: str
) -> None:
    log = today(*FATES)
    write_log(database, log)
    await live.keep(0)
    assert await figures(redis_client, datetime.now(UTC)) == expected(log)


async def test_a_restart_continues_the_same_generation(live: LiveFigures, redis_client: Redis, database: str) -> None:
    write_log(database, today(*FATES))
    await live.keep(0)
    before = await redis_client.get(GENERATION)
    await live.keep(0)
    assert await redis_client.get(GENERATION) == before


async def test_of_two_that_count_anew_the_first_is_read_and_nothing_else_is_left(
    live: LiveFigures, redis_client: Redis, database: str
) -> None:
    log = today(*FATES)
    write_log(database, log)
    await live.rebuild()
    size, before = await redis_client.dbsize(), await redis_client.get(GENERATION)
    await live.rebuild()
    assert await redis_client.dbsize() == size
    assert await redis_client.get(GENERATION) == before
    assert await figures(redis_client, datetime.now(UTC)) == expected(log)


async def test_a_generation_without_its_position_is_counted_anew(
    live: LiveFigures, redis_client: Redis, database: str
) -> None:
    log = today(*FATES)
    write_log(database, log)
    await live.keep(0)
    before = await redis_client.get(GENERATION)
    assert isinstance(before, bytes)
    await redis_client.delete(LiveKeys(before.decode(), "acme").position)
    await live.keep(0)
    assert await redis_client.get(GENERATION) != before
    assert await figures(redis_client, datetime.now(UTC)) == expected(log)


async def test_a_server_that_came_back_with_older_data_is_filled_up_before_anything_is_added(
    live: LiveFigures, database: str, connection: AsyncConnection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    log = today(*FATES)
    third = len(log) // 3
    with kept_server() as server:
        client = Redis.from_url(server.url, retry=Retry(NoBackoff(), 0))
        live = LiveFigures(client, live._log)  # noqa: SLF001
        write_log(database, log[:third])
        await live.keep(0)
        old = server.copy()
        write_log(database, log[third : 2 * third])
        await live.apply(connection, log[third : 2 * third])
        await live.keep(log[2 * third - 1].position)
        server.restart(old)
        write_log(database, log[2 * third :])
        with pytest.raises(Outage):
            await live.apply(connection, log[2 * third :])
        assert (await figures(client, datetime.now(UTC)))["position"] == log[third - 1].position
        generation = await client.get(GENERATION)
        await live.keep(log[2 * third - 1].position)
        assert f"Redis has come back with older figures: reading the log after position {third}" in caplog.text
        await live.apply(connection, log[2 * third :])
        assert await figures(client, datetime.now(UTC)) == expected(log)
        assert await client.get(GENERATION) == generation
        await client.aclose()


async def test_a_server_that_came_back_with_all_of_its_data_is_no_trouble(
    live: LiveFigures, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    log = today("short")
    write_log(database, log)
    with kept_server() as server:
        client = Redis.from_url(server.url, retry=Retry(NoBackoff(), 1))
        live = LiveFigures(client, live._log)  # noqa: SLF001
        await live.keep(0)
        server.restart(server.copy())
        await live.keep(log[-1].position)
        assert await figures(client, datetime.now(UTC)) == expected(log)
        assert caplog.text == ""
        await client.aclose()


async def reaches(redis: Redis, log: Sequence[Stored], *, within: float = 20) -> Figures:
    """Wait until the figures have reached the end of the log."""

    async def look() -> Figures | None:
        shown = await figures(redis, datetime.now(UTC)) if await redis.exists(GENERATION) else None
        return shown if shown and shown["position"] >= log[-1].position else None

    found = await eventually(look, within)
    assert found is not None
    return found


@asynccontextmanager
async def following(dsn: str, redis: Redis, pool: AsyncConnectionPool[Any]) -> AsyncIterator[asyncio.Task[None]]:
    log = EventLog(pool)
    async with Signals(dsn) as signals, Feed(log, signals) as feed:
        subscriptions = LogSubscriptions(pool, signals, feed)
        subscriptions.subscribe(LiveFigures(redis, log).subscription())
        task = asyncio.create_task(subscriptions.run())
        yield task
        await stop([task])


async def test_a_flushed_redis_is_noticed_within_two_seconds_although_nothing_happens(
    redis_client: Redis, database: str, pool: AsyncConnectionPool[AsyncConnection[Any]]
) -> None:
    log = today(*FATES)
    half = len(log) // 2
    write_log(database, log[:half])
    async with following(database, redis_client, pool):
        assert await reaches(redis_client, log[:half]) == expected(log[:half])
        await redis_client.flushdb()
        assert await reaches(redis_client, log[:half], within=2) == expected(log[:half])
        write_log(database, log[half:])
        assert await reaches(redis_client, log) == expected(log)


async def test_an_unreachable_redis_is_waited_for_and_parks_nothing(
    database: str,
    pool: AsyncConnectionPool[AsyncConnection[Any]],
    connection: AsyncConnection[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    write_log(database, today("short"))
    async with Redis.from_url("unix:///nowhere/redis.sock") as nobody, following(database, nobody, pool) as task:

        async def waiting() -> bool:
            assert not task.done()
            return caplog.text.count("live_figures: waiting for an outage to end: ConnectionError") > 1

        await eventually(waiting)
    assert await (await connection.execute("SELECT * FROM dead_letters")).fetchall() == []
