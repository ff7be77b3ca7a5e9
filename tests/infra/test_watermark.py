"""The position of a subscription passes no event that is not dealt with, whatever order the events come in."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from infra.event_log import EventLog, Stored
from infra.follower import Follower
from infra.guard import Reach
from infra.signals import PROJECTED, Signals
from infra.subscription import Subscription
from schemas.ids import new_id
from tests.appending import open_pool

NAME = "applied"
WANTED = ("order", "stock")
INSERT = "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (%s, %s, %s, 'x')"


class Shop:
    """A log of a few streams, and a subscription whose effect is to remember what it was given."""

    def __init__(self, dsn: str, pool: AsyncConnectionPool, poison: frozenset[tuple[UUID, int]] = frozenset()) -> None:
        self.dsn = dsn
        self.pool = pool
        self.poison = poison
        self.applied: set[tuple[UUID, int]] = set()
        subscription = Subscription(NAME, frozenset({"order", "stock"}), self._apply)
        self.followers = [Follower(pool, Signals(dsn), subscription) for _ in range(2)]

    async def _apply(self, connection: AsyncConnection[Any], batch: Sequence[Stored]) -> None:
        if not self.poison.isdisjoint((stored.stream_id, stored.version) for stored in batch):
            raise ZeroDivisionError
        values = [(stored.stream_id, stored.version) for stored in batch]
        async with connection.cursor() as cursor:
            await cursor.executemany("INSERT INTO effects VALUES (%s, %s)", values)
        self.applied.update(values)

    async def tell(self, *events: tuple[UUID, int, str]) -> list[Stored]:
        with psycopg.connect(self.dsn) as writer:
            writer.cursor().executemany(
                INSERT, [(stream_id, version, f"{category}.told.v1") for stream_id, version, category in events]
            )
        return await EventLog(self.pool).read(after=0, limit=10_000)

    async def position(self) -> int:
        async with self.pool.connection() as connection:
            row = await (await connection.execute("SELECT position FROM subscription_positions")).fetchone()
        return row[0] if row else 0


@pytest.fixture
async def shop(database: str) -> AsyncIterator[Shop]:
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE effects (stream_id uuid, version int, PRIMARY KEY (stream_id, version))")
    async with open_pool(database) as pool:
        yield Shop(database, pool)


def drawn(choice: random.Random) -> list[tuple[UUID, int, str]]:
    """Forty events of streams of every category, in the order of their commits."""
    streams = {UUID(int=choice.getrandbits(128)): category for category in (*WANTED, "product") for _ in range(3)}
    versions = dict.fromkeys(streams, 0)
    told = []
    for _ in range(40):
        stream_id = choice.choice(list(streams))
        versions[stream_id] += 1
        told.append((stream_id, versions[stream_id], streams[stream_id]))
    return told


def allowed(log: Sequence[Stored], dealt_with: set[tuple[UUID, int]]) -> int:
    """The last position before the first wanted event that is not dealt with."""
    for stored in log:
        if stored.category in WANTED and (stored.stream_id, stored.version) not in dealt_with:
            return stored.position - 1
    return log[-1].position


@pytest.mark.parametrize("seed", range(8))
async def test_it_is_where_everything_before_is_applied_however_partitions_interleave(shop: Shop, seed: int) -> None:
    choice = random.Random(seed)
    log = await shop.tell(*drawn(choice))
    partitions: dict[int, list[Stored]] = {}
    for stored in log:
        if stored.category in WANTED:
            partitions.setdefault(stored.stream_id.int % 4, []).append(stored)
    while partitions:
        number = choice.choice(sorted(partitions))
        batch = [partitions[number].pop(0) for _ in range(min(len(partitions[number]), choice.randint(1, 4)))]
        if choice.random() < 0.2:
            partitions[number] = batch + partitions[number]
        if not partitions[number]:
            del partitions[number]
        reach = await choice.choice(shop.followers).take(batch)
        assert reach.position == await shop.position() == allowed(log, shop.applied)
    assert await shop.position() == log[-1].position


@pytest.mark.parametrize("seed", range(3))
async def test_it_never_passes_an_event_while_two_followers_take_turns(shop: Shop, seed: int) -> None:
    choice = random.Random(seed)
    log = await shop.tell(*drawn(choice))
    wanted = [stored for stored in log if stored.category in WANTED]

    async def take(follower: Follower, share: list[Stored]) -> None:
        for stored in share:
            reach = await follower.take([stored])
            assert reach.position <= allowed(log, shop.applied)

    shares = [[stored for stored in wanted if stored.stream_id.int % 2 == number] for number in range(2)]
    await asyncio.gather(*map(take, shop.followers, shares))
    assert await shop.position() == log[-1].position


async def test_holes_and_other_categories_do_not_hold_it(shop: Shop) -> None:
    one, product = uuid4(), uuid4()
    await shop.tell((one, 1, "order"), (product, 1, "product"))
    with psycopg.connect(shop.dsn) as writer:
        writer.execute("SELECT setval('stored_events_notification_id_seq', 100)")
    log = await shop.tell((product, 2, "product"), (one, 2, "order"), (product, 3, "product"))
    assert [stored.position for stored in log] == [1, 2, 101, 102, 103]
    follower = shop.followers[0]
    assert await follower.look() == Reach(0, 1, 0)
    assert await follower.take([log[0]]) == Reach(101, 102, 101)
    assert await follower.take([log[3]]) == Reach(103, None, 103)


async def test_it_moves_with_other_categories_alone_and_tells_it(shop: Shop) -> None:
    await shop.tell((uuid4(), 1, "product"))
    async with await AsyncConnection.connect(shop.dsn, autocommit=True) as listening:
        await listening.execute(f"LISTEN {PROJECTED}".encode())
        assert (await shop.followers[0].look()).position == 1
        assert [notice.payload async for notice in listening.notifies(timeout=5, stop_after=1)] == ["applied 1"]


async def test_what_is_parked_or_waits_is_dealt_with(shop: Shop) -> None:
    sick, well = uuid4(), uuid4()
    shop.poison = frozenset({(sick, 2)})
    log = await shop.tell((sick, 1, "order"), (sick, 2, "order"), (sick, 3, "order"), (well, 1, "stock"))
    reach = await shop.followers[0].take([log[2], log[3]])
    assert reach == Reach(4, None, 4)
    assert shop.applied == {(sick, 1), (well, 1)}
    with psycopg.connect(shop.dsn) as connection:
        rows = connection.execute("SELECT version, status FROM dead_letters ORDER BY version").fetchall()
    assert rows == [(2, "parked"), (3, "waiting")]


@pytest.mark.parametrize(("status", "reached"), [("parked", 1), ("waiting", 1), ("discarded", 1), ("retried", 0)])
async def test_a_letter_counts_unless_its_event_is_to_be_applied_after_all(
    shop: Shop, status: str, reached: int
) -> None:
    sick = uuid4()
    await shop.tell((sick, 1, "order"))
    with psycopg.connect(shop.dsn) as connection:
        connection.execute(
            "INSERT INTO dead_letters (dead_letter_id, kind, consumer, stream_id, version, error, attempts, status) "
            "VALUES (%s, 'event', %s, %s, 1, 'no', 3, %s)",
            (new_id(), NAME, sick, status),
        )
    assert (await shop.followers[0].look()).position == reached


async def test_a_look_is_as_long_as_what_is_not_dealt_with(shop: Shop) -> None:
    """It reads the log from the position on, and no further than it must."""
    first = uuid4()
    await shop.tell(*((uuid4(), 1, "order") for _ in range(12_000)))
    with psycopg.connect(shop.dsn) as connection:
        connection.execute(
            "INSERT INTO subscription_versions "
            "SELECT 'applied', originator_id, 1 FROM stored_events WHERE notification_id > 1"
        )
        connection.execute("ANALYZE")
    follower = shop.followers[0]
    assert await follower.look() == Reach(0, 1, 0)
    log = await EventLog(shop.pool).read(after=0, limit=1)
    assert (await follower.take(log)).position == 10_000
    assert (await follower.look()).position == 12_000
    await shop.tell((first, 1, "order"))
    assert await follower.look() == Reach(12_000, 12_001, 12_000)
