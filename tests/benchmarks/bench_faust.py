"""How fast read models follow Kafka, beside an agent that does nothing: `python -m tests.benchmarks.bench_faust`."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

import faust
import psycopg
from confluent_kafka import Producer
from rich.console import Console
from rich.table import Table

from infra.event_log import Stored
from infra.follower import Follower
from infra.kafka.arrivals import Patience
from infra.kafka.records import headers_of, key_of, topic_of
from infra.kafka.subscriptions import KafkaSubscriptions
from infra.kafka.topics import create_missing, topics_of
from infra.local.cluster_servers import KAFKA, POSTGRESQL, VALKEY, ClusterServers
from infra.migrate import migrate
from infra.runtime import Runtime, open_runtime
from infra.settings import Settings
from infra.stopping import stop
from infra.subscription import Subscription
from projections.main import subscriptions
from tests.projections.conftest import write_log
from tests.projections.story import FATES, told
from tests.vault import unconnected
from tests.waiting import eventually

EVENTS = 30_000
ALONE = 1_000
ROUNDS = 3
TABLES = (
    "stored_events",
    "subscription_positions",
    "subscription_versions",
    "dead_letters",
    "order_summaries",
    "order_details",
    "order_timeline",
    "stock_levels",
    "products",
    "sales_hours",
    "sales_products",
)


def undecoded(log: Sequence[Stored]) -> list[Stored]:
    return [Stored(stored.position, stored.stream_id, stored.version, stored.topic, stored.state) for stored in log]


def records_of(settings: Settings, log: Sequence[Stored]) -> list[tuple[Any, ...]]:
    return [
        (topic_of(settings.topic_prefix, each.category), each.state, key_of(each), headers_of(each)) for each in log
    ]


def produce(settings: Settings, records: Sequence[tuple[Any, ...]]) -> None:
    producer = Producer(
        {
            "bootstrap.servers": settings.kafka_servers,
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            "linger.ms": 5,
            "queue.buffering.max.messages": len(records) + 1,
        }
    )
    for topic, value, key, headers in records:
        producer.produce(topic, value, key, headers=headers)
    producer.flush()


async def idle_agent(settings: Settings, log: Sequence[Stored]) -> float:
    """Give the records per second that reach an agent that only counts them, acknowledged as Faust does by itself."""
    create_missing(settings)
    app = faust.App(
        f"{settings.topic_prefix}-idle",
        broker=f"kafka://{settings.kafka_servers}",
        loop=asyncio.get_running_loop(),
        autodiscover=False,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        datadir=tempfile.mkdtemp(prefix="orderflow-bench-"),
    )
    joined, seen, times = asyncio.Event(), 0, [0.0, 0.0]

    async def count(stream: Any) -> None:  # noqa: ANN401  # of a class that Faust makes
        nonlocal seen
        async for _ in stream:
            seen += 1
            times[seen > 1] = perf_counter()

    async def on_joined(*_: object, **__: object) -> None:
        joined.set()

    topics = topics_of(settings).values()
    app.agent(app.topic(*topics, key_serializer="raw", value_serializer="raw"))(count)
    app.on_rebalance_complete.connect(on_joined, weak=False)
    await app.start()
    await joined.wait()
    await asyncio.to_thread(produce, settings, records_of(settings, log))
    await eventually(lambda: _is(seen == len(log)), 300)
    await app.stop()
    return len(log) / (times[1] - times[0])


async def _is(value: bool) -> bool:  # noqa: FBT001
    return value


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Runtime]:
    with psycopg.connect(settings.postgres_dsn.get_secret_value(), autocommit=True) as admin:
        admin.execute(f"TRUNCATE {', '.join(TABLES)}".encode())
    async with asyncio.TaskGroup() as tasks, open_runtime(settings, tasks) as runtime:
        await runtime.redis.flushdb()
        yield runtime


async def over_kafka(settings: Settings, log: Sequence[Stored]) -> float:
    """Give the events per second that reach every table and the live figures; none is read from the log."""
    create_missing(settings)
    records = records_of(settings, log)
    async with opened(settings) as runtime:
        following = KafkaSubscriptions(
            settings, runtime.pool, runtime.signals, runtime.log, Patience(hole=1_000, silence=1_000)
        )
        for subscription in subscriptions(runtime.redis, runtime.log, unconnected()):
            following.subscribe(subscription)
        running = asyncio.create_task(following.run())
        await eventually(lambda: _is(following.over_kafka), 60)
        await asyncio.to_thread(write_log, settings.postgres_dsn.get_secret_value(), log)
        started = perf_counter()
        await asyncio.to_thread(produce, settings, records)

        async def applied() -> bool:
            assert not running.done()
            assert following.over_kafka, "an inbox was full for a second: the rest was read from the log"
            async with runtime.pool.connection() as connection:
                rows = await (await connection.execute("SELECT position FROM subscription_positions")).fetchall()
            await asyncio.sleep(0.05)
            return all(row[0] >= log[-1].position for row in rows)

        await eventually(applied, 300)
        seconds = perf_counter() - started
        await stop([running])
    return len(log) / seconds


async def one_by_one(settings: Settings, log: Sequence[Stored]) -> float:
    """Give the events per second when each is a transaction of its own, in each subscription."""
    async with opened(settings) as runtime:
        write_log(settings.postgres_dsn.get_secret_value(), log)
        followers = [
            Follower(
                runtime.pool,
                runtime.signals,
                Subscription(subscription.name, subscription.categories, subscription.apply, keep=subscription.keep),
            )
            for subscription in subscriptions(runtime.redis, runtime.log, unconnected())
        ]
        wanted = [subscription.categories for subscription in subscriptions(runtime.redis, runtime.log, unconnected())]
        for follower in followers:
            await follower.keep(0)
        started = perf_counter()
        for stored in log:
            for follower, categories in zip(followers, wanted, strict=True):
                if stored.category in categories:
                    await follower.take([stored])
        return len(log) / (perf_counter() - started)


def main() -> None:
    events = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    console = Console()
    log = told(*(FATES[number % len(FATES)] for number in range(events // 12)))[:events]
    table = Table("", "events/s", *(f"round {number + 1}" for number in range(ROUNDS)))
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="orderflow-bench-") as folder:
        Path(folder).chmod(0o755)
        with ClusterServers(Path(folder), names=[KAFKA, POSTGRESQL, VALKEY]) as servers:
            migrate(servers.dsn_of("orderflow"))
            for _ in range(ROUNDS):
                for what, measure, part in (
                    ("a Faust agent that does nothing", idle_agent, log),
                    ("the projections over Kafka", over_kafka, log),
                    ("one transaction per event", one_by_one, log[:ALONE]),
                ):
                    settings = Settings(profile="cluster", topic_prefix=f"b{monotonic():.0f}").model_copy(
                        update=servers.settings_found
                    )
                    rates.setdefault(what, []).append(asyncio.run(measure(settings, undecoded(part))))
                    console.print(f"{what}: {rates[what][-1]:,.0f} events/s")
    for what, measured in rates.items():
        table.add_row(what, f"{max(measured):,.0f}", *(f"{rate:,.0f}" for rate in measured))
    nothing, projected, alone = (max(measured) for measured in rates.values())
    console.print(table)
    console.print(f"projections / agent that does nothing: {projected / nothing:.2f} (goal 0.5)")
    console.print(f"projections / one transaction per event: {projected / alone:.1f} (goal 10)")


if __name__ == "__main__":
    main()
