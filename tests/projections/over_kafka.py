"""The projections of a cluster: workers in this process or in their own, and what their tables must equal."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient

from infra.event_log import Stored
from infra.kafka.arrivals import Patience
from infra.kafka.lease import RELAY
from infra.kafka.subscriptions import KafkaSubscriptions
from infra.runtime import Runtime, open_runtime
from infra.stopping import stop
from projections.main import subscriptions
from tests.infra.kafka.relaying import Place
from tests.projections.conftest import stored_rows, write_log
from tests.projections.projecting import MODELS, project
from tests.running import environment
from tests.vault import unconnected
from tests.waiting import eventually

NEVER = Patience(hole=1_000)
"""So that only Kafka can have brought an event once a worker has joined."""


@dataclass(frozen=True, slots=True)
class Worker:
    runtime: Runtime
    subscriptions: KafkaSubscriptions
    running: asyncio.Task[None]

    async def joined(self, *, joins: int = 1) -> None:
        async def look() -> bool:
            if self.running.done():
                self.running.result()
            return self.subscriptions.over_kafka and self.subscriptions.line.joins >= joins

        await eventually(look, 30)


@asynccontextmanager
async def worker(place: Place, patience: Patience = NEVER) -> AsyncIterator[Worker]:
    """Follow in this process; Kafka alone brings events when it is given."""
    async with asyncio.TaskGroup() as tasks, open_runtime(place.settings, tasks) as runtime:
        over_kafka = KafkaSubscriptions(place.settings, runtime.pool, runtime.signals, runtime.log, patience)
        for subscription in subscriptions(runtime.redis, runtime.log, unconnected()):
            over_kafka.subscribe(subscription)
        running = asyncio.create_task(over_kafka.run())
        try:
            started = Worker(runtime, over_kafka, running)
            await started.joined()
            yield started
        finally:
            async with asyncio.timeout(15):
                await stop([running])


def reached(place: Place) -> int:
    """The least position of the three subscriptions."""
    with psycopg.connect(place.dsn) as connection:
        rows = connection.execute("SELECT position FROM subscription_positions").fetchall()
    return min(row[0] for row in rows) if len(rows) == 3 else 0


async def caught_up(place: Place, log: Sequence[Stored], seconds: float = 30) -> None:
    async def look() -> bool:
        return await asyncio.to_thread(reached, place) >= log[-1].position

    await eventually(look, seconds)


async def assert_tables_equal(place: Place, log: Sequence[Stored]) -> None:
    async with await psycopg.AsyncConnection.connect(place.dsn) as connection:
        for model in MODELS:
            assert await stored_rows(connection, model) == project(model, log), model.name


def publish(place: Place, log: Sequence[Stored]) -> None:
    """Commit events, then bring them to Kafka at once."""
    write_log(place.dsn, log)
    place.plant(*log)


def as_if_relayed(place: Place, position: int) -> None:
    """Say that the relay has published everything up to a position."""
    query = (
        "INSERT INTO relay_positions (relay, position, owner, lease_until) VALUES (%(relay)s, %(position)s, '', now()) "
        "ON CONFLICT (relay) DO UPDATE SET position = excluded.position"
    )
    with psycopg.connect(place.dsn) as connection:
        connection.execute(query, {"relay": RELAY, "position": position})


@contextmanager
def process(place: Place, folder: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """`orderflow run projector` as a process of its own; returns at once."""
    settings = place.settings
    told = {
        "ORDERFLOW_POSTGRES_DSN": settings.postgres_dsn.get_secret_value(),
        "ORDERFLOW_REDIS_URL": settings.redis_url.get_secret_value(),
        "ORDERFLOW_KAFKA_SERVERS": settings.kafka_servers,
        "ORDERFLOW_TOPIC_PREFIX": settings.topic_prefix,
        "ORDERFLOW_VAULT_FILE": str(settings.vault_file),
    }
    with (folder / f"{name}.log").open("wb") as out:
        started = subprocess.Popen(
            [sys.executable, "-m", "infra.cli", "run", "projector", "--log-json"],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**environment(folder), **told},
        )
    try:
        yield started
    finally:
        started.kill()
        started.wait()


@dataclass(frozen=True, slots=True)
class Group:
    members: int
    offsets: list[int]
    """Committed, of each partition that has one."""


def group_of(place: Place) -> Group:
    """Give how the group of the projections is."""
    admin = AdminClient({"bootstrap.servers": place.settings.kafka_servers})
    name = f"{place.settings.topic_prefix}.live_figures-order_views-shop_figures"
    members = admin.describe_consumer_groups([name])[name].result(10).members
    offsets = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(name)])[name].result(10)
    return Group(len(members), [each.offset for each in offsets.topic_partitions])
