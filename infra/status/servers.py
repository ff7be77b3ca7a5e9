"""Whether each server answers, asked in its own language: a port that is open says nothing about who stands still."""

import asyncio
import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import redis.asyncio

from infra.status.model import QueueStatus

if TYPE_CHECKING:
    from aio_pika.abc import AbstractConnection

SECONDS: Final = 5.0
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

    retries = {queue: [*(retry_queue(queue, pause) for pause in LADDER), suspects_queue(queue)] for queue in QUEUES}
    names = [name for queue in QUEUES for name in (queue, dead_queue(queue), *retries[queue])]
    depths = await _counted(connection, names)
    return tuple(
        QueueStatus(
            queue=queue,
            ready=depths[queue][0],
            consumers=depths[queue][1],
            retrying=sum(depths[name][0] for name in retries[queue]),
            dead=depths[dead_queue(queue)][0],
        )
        for queue in QUEUES
    )


async def _counted(connection: "AbstractConnection", names: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Give messages and consumers by queue; one that is not there yet has none."""
    from aio_pika.exceptions import ChannelNotFoundEntity  # noqa: PLC0415  # the same

    counted, channel = dict[str, tuple[int, int]](), await connection.channel()
    for name in names:
        try:
            answer = (await channel.declare_queue(name, passive=True)).declaration_result
            counted[name] = (answer.message_count or 0, answer.consumer_count or 0)
        except ChannelNotFoundEntity:  # which ends the channel
            counted[name], channel = (0, 0), await connection.channel()
    return counted
