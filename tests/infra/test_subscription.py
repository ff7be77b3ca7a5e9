"""Whatever is delivered twice, out of reach or interrupted, each event takes effect once; what cannot is parked."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import redis.exceptions
from psycopg import AsyncConnection
from pydantic import SecretStr

from infra.event_log import Stored
from infra.guard import Guard
from infra.log_subscriptions import LogSubscriptions
from infra.runtime import Runtime, open_runtime
from infra.settings import Settings
from infra.signals import PROJECTED
from infra.subscription import Outage, Subscription
from tests.appending import a_command, open_log
from tests.waiting import eventually

NAME = "effects"
Effect = tuple[UUID, int]


@dataclass
class Effects:
    """Writes one row per event; `troubles` are raised, or done, after the rows have been written."""

    troubles: list[Exception] = field(default_factory=list)
    poison: frozenset[Effect] = frozenset()
    fault: Exception = field(default_factory=lambda: ZeroDivisionError("Ana Souza"))
    kills: int = 0

    async def apply(self, connection: AsyncConnection[Any], batch: Sequence[Stored]) -> None:
        for stored in batch:
            values = (stored.stream_id, stored.recorded.version)
            await connection.execute("INSERT INTO effects VALUES (%s, %s)", values)
        if self.troubles:
            raise self.troubles.pop()
        if self.kills:
            self.kills -= 1
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        if self.poison & {(stored.stream_id, stored.version) for stored in batch}:
            raise self.fault


@dataclass(frozen=True, slots=True)
class Bench:
    """A log, and what a subscription made of it."""

    runtime: Runtime
    dsn: str

    async def append(self, stream_id: UUID, version: int = 1, *, events: int = 1) -> None:
        async with open_log(self.dsn) as opened:
            await opened.appender.append(a_command(stream_id, version, events=events))

    async def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        async with self.runtime.pool.connection() as connection:
            cursor = await connection.execute(query.encode(), values)
            return await cursor.fetchall() if cursor.description else []

    async def effects(self) -> list[Effect]:
        """In the order in which they were applied."""
        return [(row[0], row[1]) for row in await self.rows("SELECT stream_id, version FROM effects ORDER BY place")]

    async def parked(self) -> list[tuple[int, str, int]]:
        return [
            (row[0], row[1], row[2])
            for row in await self.rows("SELECT version, status, attempts FROM dead_letters ORDER BY version")
        ]

    @asynccontextmanager
    async def following(self, effects: Effects, *, until: int, followers: int = 1) -> AsyncIterator[None]:
        """Follow until a position is reached."""
        subscription = Subscription(NAME, frozenset({"order"}), effects.apply)
        connections = (self.runtime.pool, self.runtime.signals, self.runtime.feed)
        several = [LogSubscriptions(*connections) for _ in range(followers)]
        for subscriptions in several:
            subscriptions.subscribe(subscription)
        tasks = [asyncio.create_task(subscriptions.run()) for subscriptions in several]
        yield

        async def reached() -> bool:
            for task in tasks:
                assert not task.done()
            rows = await self.rows("SELECT position FROM subscription_positions WHERE subscription = %s", NAME)
            return bool(rows) and rows[0][0] >= until

        await eventually(reached)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def follow(self, effects: Effects, *, until: int, followers: int = 1) -> None:
        async with self.following(effects, until=until, followers=followers):
            pass


def make_effects(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE effects (stream_id uuid, version int, place bigserial)")


@pytest.fixture
async def bench(database: str, redis_url: str) -> AsyncIterator[Bench]:
    make_effects(database)
    settings = Settings(postgres_dsn=SecretStr(database), redis_url=SecretStr(redis_url))
    async with asyncio.TaskGroup() as tasks, open_runtime(settings, tasks) as runtime:
        yield Bench(runtime, database)


async def test_each_event_takes_effect_in_the_order_of_the_log(bench: Bench) -> None:
    one, other = uuid4(), uuid4()
    await bench.append(one, events=2)
    async with bench.following(Effects(), until=4):
        await bench.append(other)
        await bench.append(one, 3)
    assert await bench.effects() == [(one, 1), (one, 2), (other, 1), (one, 3)]


async def test_it_goes_on_where_it_stopped(bench: Bench) -> None:
    stream_id = uuid4()
    await bench.append(stream_id)
    await bench.follow(Effects(), until=1)
    await bench.append(stream_id, 2)
    await bench.follow(Effects(), until=2)
    assert await bench.effects() == [(stream_id, 1), (stream_id, 2)]


async def test_what_is_delivered_again_takes_no_effect_again(bench: Bench) -> None:
    stream_id = uuid4()
    await bench.append(stream_id, events=3)
    await bench.follow(Effects(), until=3)
    await bench.rows("UPDATE subscription_positions SET position = 0")
    await bench.follow(Effects(), until=3)
    assert await bench.effects() == [(stream_id, 1), (stream_id, 2), (stream_id, 3)]


async def test_what_was_not_delivered_is_read_from_the_log(bench: Bench) -> None:
    stream_id = uuid4()
    await bench.append(stream_id, events=3)
    await bench.rows("INSERT INTO subscription_positions (subscription, position) VALUES (%s, 2)", NAME)
    await bench.follow(Effects(), until=3)
    assert await bench.effects() == [(stream_id, 1), (stream_id, 2), (stream_id, 3)]


async def test_two_followers_of_one_subscription_do_not_repeat_each_other(bench: Bench) -> None:
    streams = [uuid4() for _ in range(20)]
    async with bench.following(Effects(), until=100, followers=3):
        for stream_id in streams:
            await bench.append(stream_id, events=5)
    effects = await bench.effects()
    assert sorted(effects) == sorted((stream_id, version) for stream_id in streams for version in range(1, 6))


async def test_a_connection_lost_in_the_middle_of_a_batch_leaves_nothing_half_done(bench: Bench) -> None:
    streams = [uuid4() for _ in range(3)]
    for stream_id in streams:
        await bench.append(stream_id)
    await bench.follow(Effects(kills=2), until=3)
    assert await bench.effects() == [(stream_id, 1) for stream_id in streams]
    assert await bench.parked() == []


@pytest.mark.parametrize(
    "outage", [redis.exceptions.ConnectionError(), OSError(), psycopg.OperationalError(), Outage()]
)
async def test_an_outage_parks_nothing(bench: Bench, outage: Exception) -> None:
    stream_id = uuid4()
    await bench.append(stream_id)
    await bench.follow(Effects(troubles=[outage] * 4), until=1)
    assert await bench.effects() == [(stream_id, 1)]
    assert await bench.parked() == []


async def test_a_fault_that_passes_parks_nothing(bench: Bench) -> None:
    stream_id = uuid4()
    await bench.append(stream_id)
    await bench.follow(Effects(troubles=[ZeroDivisionError(), psycopg.errors.QueryCanceled()]), until=1)
    assert await bench.effects() == [(stream_id, 1)]
    assert await bench.parked() == []


@pytest.mark.parametrize("fault", [ZeroDivisionError(), psycopg.errors.QueryCanceled()])
async def test_an_event_that_always_fails_is_parked_with_its_stream_while_others_go_on(
    bench: Bench, fault: Exception
) -> None:
    sick, well = uuid4(), uuid4()
    await bench.append(sick, events=3)
    await bench.append(well)
    async with bench.following(Effects(poison=frozenset({(sick, 2)}), fault=fault), until=6):
        await bench.append(sick, 4)
        await bench.append(well, 2)
    assert await bench.effects() == [(sick, 1), (well, 1), (well, 2)]
    assert await bench.parked() == [(2, "parked", 3), (3, "waiting", 0), (4, "waiting", 0)]


async def test_an_event_that_nobody_can_read_is_parked(bench: Bench) -> None:
    unknown, well = uuid4(), uuid4()
    await bench.rows(
        "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (%s, 1, %s, %s)",
        unknown,
        "order.placed.v9",
        b"{not json",
    )
    await bench.append(well)
    await bench.follow(Effects(), until=2)
    assert await bench.effects() == [(well, 1)]
    assert await bench.parked() == [(1, "parked", 3)]


async def test_a_dead_letter_says_what_and_where_but_quotes_nothing(bench: Bench) -> None:
    sick = uuid4()
    await bench.append(sick)
    await bench.follow(Effects(poison=frozenset({(sick, 1)})), until=1)
    ((kind, consumer, stream_id, position, body, error),) = await bench.rows(
        "SELECT kind, consumer, stream_id, position, body, error FROM dead_letters"
    )
    assert (kind, consumer, stream_id, position, body) == ("event", NAME, sick, 1, None)
    assert error.startswith("ZeroDivisionError in apply, test_subscription.py line ")


async def test_a_stream_that_is_released_catches_up_with_its_next_event(bench: Bench) -> None:
    sick = uuid4()
    await bench.append(sick, events=2)
    await bench.follow(Effects(poison=frozenset({(sick, 1)})), until=2)
    await bench.rows("UPDATE dead_letters SET status = 'retried'")
    await bench.append(sick, 3)
    await bench.follow(Effects(), until=3)
    assert await bench.effects() == [(sick, 1), (sick, 2), (sick, 3)]


async def test_a_stream_waits_until_its_last_dead_letter_is_released(bench: Bench) -> None:
    sick = uuid4()
    await bench.append(sick, events=2)
    await bench.follow(Effects(poison=frozenset({(sick, 1)})), until=2)
    await bench.rows("UPDATE dead_letters SET status = 'retried' WHERE status = 'parked'")
    await bench.append(sick, 3)
    await bench.follow(Effects(), until=3)
    assert await bench.effects() == []


async def test_the_position_never_goes_back(bench: Bench) -> None:
    async with bench.runtime.pool.connection() as connection, connection.transaction():
        guard = Guard(connection, NAME)
        for position in (5, 3):
            await guard.open(position)
        assert await guard.reached() == 5


async def test_other_categories_only_move_the_position(bench: Bench) -> None:
    await bench.rows(
        "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (%s, 1, %s, %s)",
        uuid4(),
        "stock.received.v9",
        b"{not json",
    )
    await bench.follow(Effects(), until=1)
    assert await bench.effects() == []
    assert await bench.parked() == []


async def test_whoever_waits_for_a_position_is_told(bench: Bench) -> None:
    async with await AsyncConnection.connect(bench.dsn, autocommit=True) as listening:
        await listening.execute(f"LISTEN {PROJECTED}".encode())
        await bench.append(uuid4(), events=2)
        await bench.follow(Effects(), until=2)
        told = [notice.payload async for notice in listening.notifies(timeout=5, stop_after=1)]
    assert told == ["effects 2"]


async def test_a_follower_that_stands_still_is_cut_off_and_comes_back(database: str, redis_url: str) -> None:
    stream_id, standing, freed = uuid4(), asyncio.Event(), asyncio.Event()

    async def stand_still(connection: AsyncConnection[Any], batch: Sequence[Stored]) -> None:
        await Effects().apply(connection, batch)
        standing.set()
        await freed.wait()

    make_effects(database)
    settings = Settings(
        profile="cluster",
        postgres_dsn=SecretStr(database),
        redis_url=SecretStr(redis_url),
        lock_timeout_ms=200,
        transaction_timeout_ms=500,
    )
    async with asyncio.TaskGroup() as tasks, open_runtime(settings, tasks) as runtime:
        bench = Bench(runtime, database)
        stuck = LogSubscriptions(runtime.pool, runtime.signals, runtime.feed)
        stuck.subscribe(Subscription(NAME, frozenset({"order"}), stand_still))
        following = asyncio.create_task(stuck.run())
        await bench.append(stream_id, events=2)
        await standing.wait()
        async with bench.following(Effects(), until=3):
            await bench.append(stream_id, 3)
        freed.set()
        await bench.append(stream_id, 4)

        async def back() -> bool:
            assert not following.done()
            return (stream_id, 4) in await bench.effects()

        await eventually(back)
        following.cancel()
        await asyncio.wait([following])
        assert await bench.effects() == [(stream_id, version) for version in (1, 2, 3, 4)]
        assert await bench.parked() == []
