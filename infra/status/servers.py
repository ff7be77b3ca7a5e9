"""Whether each server answers, asked in its own language: a port that is open says nothing about who stands still."""

import asyncio
import struct
from typing import TYPE_CHECKING, Final

import redis.asyncio

from infra.status.model import QueueStatus

if TYPE_CHECKING:
    from aio_pika.abc import AbstractConnection

SECONDS: Final = 3.0
_ASK_VERSIONS: Final = struct.pack(">hhih", 18, 0, 1, -1)
"""Kafka's ApiVersions request in its first form: key, version, correlation id, no client id."""
_FEWEST_BYTES: Final = 4


async def redis_answers(url: str) -> None:
    """Raises OSError or redis.exceptions.RedisError when it does not."""
    async with asyncio.timeout(SECONDS), redis.asyncio.Redis.from_url(url) as client:
        await client.ping()


async def kafka_answers(servers: str) -> None:
    """Raises OSError when no broker does."""
    trouble: OSError = ConnectionError("no broker is named")
    for server in servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            async with asyncio.timeout(SECONDS):
                await _versions(host.strip("[]"), int(port))
        except (OSError, EOFError, ValueError) as error:
            trouble = ConnectionError(f"{server.strip()}: {type(error).__name__}")
        else:
            return
    raise trouble


async def _versions(host: str, port: int) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(struct.pack(">i", len(_ASK_VERSIONS)) + _ASK_VERSIONS)
        await reader.readexactly(_FEWEST_BYTES)
    finally:
        writer.close()


async def rabbitmq_queues(url: str) -> tuple[QueueStatus, ...]:
    """Give the depth of every work queue that is there; raises OSError or AMQPError when the broker does not answer."""
    import aio_pika  # noqa: PLC0415  # the embedded profile does without it

    async with asyncio.timeout(SECONDS):
        async with await aio_pika.connect(url, timeout=SECONDS) as connection:
            return await _depths(connection)


async def _depths(connection: "AbstractConnection") -> tuple[QueueStatus, ...]:
    from infra.bus import LADDER  # noqa: PLC0415  # the same
    from infra.rabbitmq.topology import QUEUES, dead_queue, retry_queue, suspects_queue  # noqa: PLC0415  # the same

    found = []
    for queue in QUEUES:
        ready, consumers = await _depth(connection, queue)
        retries = [retry_queue(queue, pause) for pause in LADDER] + [suspects_queue(queue)]
        retrying = [await _depth(connection, name) for name in retries]
        dead, _ = await _depth(connection, dead_queue(queue))
        waiting = sum(ready for ready, _ in retrying)
        found.append(QueueStatus(queue=queue, ready=ready, consumers=consumers, retrying=waiting, dead=dead))
    return tuple(found)


async def _depth(connection: "AbstractConnection", name: str) -> tuple[int, int]:
    """Give messages and consumers; a queue that is not there yet has none."""
    from aio_pika.exceptions import ChannelNotFoundEntity  # noqa: PLC0415  # the same

    try:
        async with connection.channel() as channel:
            counted = (await channel.declare_queue(name, passive=True)).declaration_result
    except ChannelNotFoundEntity:
        return 0, 0
    return counted.message_count or 0, counted.consumer_count or 0
