"""What one OS process shares among the services that it runs."""

import asyncio
import select
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis

from infra.bus import Bus, OutboxBus
from infra.event_log import EventLog
from infra.feed import Feed
from infra.log_subscriptions import LogSubscriptions
from infra.settings import Settings
from infra.signals import Signals
from infra.stopping import stop
from infra.subscription import Subscriptions

_TRANSACTION_TIMEOUT_SINCE: Final = 170_000
_CLUSTER_PACE_SECONDS: Final = 0.02
"""Of several processes that read the log, none needs each commit by itself."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """The connections of a process. Background work of a service goes into `tasks`: one failure ends the process."""

    settings: Settings
    pool: AsyncConnectionPool
    """Autocommit connections, checked before they are handed out.

    In the embedded profile a commit does not wait for the disk: what is written through them follows from the log,
    which does wait, and is made again after a crash of the database. In the cluster it waits, because what Kafka and
    RabbitMQ are then told to forget must be on the disk.
    """
    signals: Signals
    log: EventLog
    feed: Feed
    subscriptions: Subscriptions
    bus: Bus
    redis: Redis
    tasks: asyncio.TaskGroup


class NotStarted(Exception):  # noqa: N818 - a state of the world
    """What a service needs is missing: says in a sentence what, and what to do."""


class Service(Protocol):
    """What an entry point of the group `orderflow.services` names."""

    def __call__(self, runtime: Runtime) -> AbstractAsyncContextManager[Mapping[str, str]]:
        """Start; yield the service's URLs by name once it is ready; stop when the block ends."""


async def _check(connection: AsyncConnection[Any]) -> None:
    """Ask the server only when it has sent something unasked, as it does when it ends: a round trip saved each time."""
    readable, _, _ = select.select([connection.fileno()], [], [], 0)
    if readable:
        await AsyncConnectionPool.check_connection(connection)


async def _limit(settings: Settings, connection: AsyncConnection[Any]) -> None:
    """Limit a transaction that the idle timeout never sees, because a pipeline does not look idle to the server."""
    if connection.info.server_version >= _TRANSACTION_TIMEOUT_SINCE:
        await connection.execute(f"SET transaction_timeout = {settings.transaction_timeout_ms}".encode())


@asynccontextmanager
async def open_runtime(settings: Settings, tasks: asyncio.TaskGroup) -> AsyncIterator[Runtime]:
    """Open every connection, give the runtime, and close them in reverse."""
    dsn = settings.postgres_dsn.get_secret_value()
    limits = f"-c statement_timeout={settings.statement_timeout_ms} -c lock_timeout={settings.lock_timeout_ms}"
    if settings.profile == "cluster":
        options = f"{limits} -c idle_in_transaction_session_timeout={settings.transaction_timeout_ms}"
    else:
        options = f"-c synchronous_commit=off {limits}"
    pool = AsyncConnectionPool(
        dsn,
        kwargs={"autocommit": True, "options": options},
        min_size=2,
        max_size=settings.pool_size,
        configure=partial(_limit, settings) if settings.profile == "cluster" else None,
        check=_check,
        timeout=settings.statement_timeout_ms / 1_000,
        open=False,
        name="orderflow",
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(pool)
        redis = await stack.enter_async_context(Redis.from_url(settings.redis_url.get_secret_value()))
        signals = await stack.enter_async_context(Signals(dsn))
        log = EventLog(pool)
        if settings.profile == "embedded":
            feed = await stack.enter_async_context(Feed(log, signals))
            subscriptions: Subscriptions = LogSubscriptions(pool, signals, feed)
            bus: Bus = OutboxBus(pool, signals)
        else:
            feed = await stack.enter_async_context(Feed(log, signals, pace=_CLUSTER_PACE_SECONDS))
            subscriptions = _kafka_subscriptions(settings, pool, signals, log)
            bus = _rabbit_bus(settings)
        yield Runtime(settings, pool, signals, log, feed, subscriptions, bus, redis, tasks)


def _kafka_subscriptions(
    settings: Settings, pool: AsyncConnectionPool, signals: Signals, log: EventLog
) -> Subscriptions:
    from infra.kafka.subscriptions import KafkaSubscriptions  # noqa: PLC0415  # the embedded profile does without it

    return KafkaSubscriptions(settings, pool, signals, log)


def _rabbit_bus(settings: Settings) -> Bus:
    from infra.rabbitmq.bus import RabbitBus  # noqa: PLC0415  # the embedded profile does without it

    return RabbitBus(settings.rabbitmq_url.get_secret_value())


@asynccontextmanager
async def delivering(runtime: Runtime) -> AsyncIterator[None]:
    """Bring events to the subscriptions and commands to the consumers that the services have named, until the end."""
    tasks = [
        runtime.tasks.create_task(runtime.subscriptions.run(), name="subscriptions"),
        runtime.tasks.create_task(runtime.bus.run(), name="bus"),
    ]
    try:
        yield
    finally:
        await stop(tasks)
