"""Looks at everything at once, and tells what could not be seen as well."""

import asyncio
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from infra.local.ready import Ready, is_running
from infra.roles import ROLES
from infra.settings import Settings
from infra.status.database import figures
from infra.status.model import ProcessStatus, ServerStatus, Status
from infra.status.servers import kafka_answers, rabbitmq_queues, redis_answers

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Looked:
    """Where to look: a platform on this machine, or servers that settings name."""

    postgres_dsn: str
    redis_url: str
    kafka_servers: str | None
    rabbitmq_url: str | None
    ready: Ready | None = None


def of_ready(ready: Ready) -> Looked:
    return Looked(ready.postgres_dsn, ready.redis_url, ready.kafka_servers, ready.rabbitmq_url, ready)


def of_settings(settings: Settings) -> Looked:
    """For a cluster whose processes run elsewhere."""
    return Looked(
        settings.postgres_dsn.get_secret_value(),
        settings.redis_url.get_secret_value(),
        settings.kafka_servers,
        settings.rabbitmq_url.get_secret_value(),
    )


async def look(at: Looked) -> Status:
    """Give what is seen within a few seconds; raises nothing for what is away."""
    database, cache, broker, queues = await asyncio.gather(
        _tried(figures(at.postgres_dsn)),
        _tried(redis_answers(at.redis_url)),
        _tried(kafka_answers(at.kafka_servers)) if at.kafka_servers else _nothing(),
        _tried(rabbitmq_queues(at.rabbitmq_url)) if at.rabbitmq_url else _nothing(),
    )
    asked: dict[str, object] = {"PostgreSQL": database, "Valkey": cache}
    asked |= {"Kafka": broker} if at.kafka_servers else {}
    asked |= {"RabbitMQ": queues} if at.rabbitmq_url else {}
    seen = None if isinstance(database, Exception) else database
    return Status(
        profile=at.ready.profile if at.ready else "cluster",
        told_at=datetime.now(UTC),
        head=seen.head if seen else None,
        processes=tuple(_processes(at.ready)) if at.ready else (),
        servers=tuple(_server(name, answer, at.ready) for name, answer in asked.items()),
        relay=seen.relay if seen and at.kafka_servers else None,
        subscriptions=seen.subscriptions if seen else (),
        outbox=seen.outbox if seen else (),
        queues=queues if isinstance(queues, tuple) else (),
        parked=seen.parked if seen else (),
        drift=seen.drift if seen else (),
    )


async def _tried(asking: Awaitable[T]) -> T | Exception:
    try:
        return await asking
    except Exception as error:  # noqa: BLE001  # whatever it is, it is what there is to be told about that server
        return error


async def _nothing() -> None:
    return None


def _processes(ready: Ready) -> Iterator[ProcessStatus]:
    if ready.profile == "embedded":
        pid = ready.pid if is_running(ready.pid) else None
        yield ProcessStatus(role="platform", pid=pid, started_at=ready.started_at, restarts=0)
    for role in sorted(ready.runs, key=[*ROLES, *ready.runs].index):
        run, pid = ready.runs[role], ready.services.get(role)
        running = pid if pid and is_running(pid) else None
        yield ProcessStatus(role=role, pid=running, started_at=run.started_at, restarts=run.restarts)


def _server(name: str, answer: object, ready: Ready | None) -> ServerStatus:
    is_up = not isinstance(answer, Exception)
    pid = ready.servers.get(name) if ready else None
    return ServerStatus(name=name, is_up=is_up, pid=pid, trouble="" if is_up else _trouble(answer))


def _trouble(error: object) -> str:
    """Say it in a few words without what the error quotes: addresses hold passwords."""
    return "does not answer" if isinstance(error, OSError) else type(error).__name__
