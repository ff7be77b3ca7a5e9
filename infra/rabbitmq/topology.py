"""Everything that RabbitMQ holds for the platform, declared by whoever connects first.

A command goes to its queue through the exchange `orderflow`. What becomes of it there:

    <queue>               handled: gone.  Failed: to the next step of the ladder.  Used up: to <queue>.dead
    <queue>.retry.10s     back to <queue> after the pause
    <queue>.suspects      was in flight when a consumer ended: handled alone, in case that it is what ended it
    <queue>.dead          until it is written to the table `dead_letters`
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, get_args

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractQueue
from aio_pika.exceptions import ChannelPreconditionFailed

from infra.bus import LADDER
from schemas.commands import Queue

COMMANDS: Final = "orderflow"
DEAD: Final = "orderflow.dead"
QUEUES: Final[tuple[Queue, ...]] = get_args(Queue)
DELIVERY_LIMIT: Final = 5
"""Redeliveries after which the broker gives up by itself; consumers do so earlier, unless they never get that far."""

_UNLIMITED: Final = 1_000_000_000
"""Since RabbitMQ 4.0 a queue without a limit has one of 20."""
_QUORUM: Final = {"x-queue-type": "quorum"}
_SAFELY: Final = {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}


class OtherArguments(Exception):  # noqa: N818  # a state of the world
    """The broker holds a queue or exchange of ours that was declared differently."""


def retry_queue(queue: Queue, pause: timedelta) -> str:
    seconds = pause.total_seconds()
    return f"{queue}.retry.{int(seconds)}s" if seconds.is_integer() else f"{queue}.retry.{_milliseconds(pause)}ms"


def suspects_queue(queue: Queue) -> str:
    return f"{queue}.suspects"


def dead_queue(queue: Queue) -> str:
    return f"{queue}.dead"


async def declare(connection: AbstractConnection, ladder: Sequence[timedelta] = LADDER) -> None:
    """Declare what is missing; raises OtherArguments when something is there that differs."""
    try:
        async with connection.channel() as channel:
            await channel.declare_exchange(COMMANDS, ExchangeType.DIRECT, durable=True)
            await channel.declare_exchange(DEAD, ExchangeType.DIRECT, durable=True)
            for queue in QUEUES:
                await _declare(channel, queue, ladder)
    except ChannelPreconditionFailed as error:
        raise OtherArguments(
            f"RabbitMQ: {error.args[0]}. Another version declared it. Consume what is in it with that version, delete "
            "it (rabbitmqctl delete_queue NAME --if-empty), and start again; or give the platform a new virtual host."
        ) from error


async def _declare(channel: AbstractChannel, queue: Queue, ladder: Sequence[timedelta]) -> None:
    to_dead = {"x-dead-letter-exchange": DEAD, "x-dead-letter-routing-key": queue} | _SAFELY
    back = {"x-dead-letter-exchange": COMMANDS, "x-dead-letter-routing-key": queue} | _SAFELY
    dead = await _queue(channel, dead_queue(queue), {"x-delivery-limit": _UNLIMITED})
    await dead.bind(DEAD, queue)
    await _queue(channel, suspects_queue(queue), {"x-delivery-limit": DELIVERY_LIMIT} | to_dead)
    for pause in ladder:
        await _queue(channel, retry_queue(queue, pause), {"x-message-ttl": _milliseconds(pause)} | back)
    work = await _queue(channel, queue, {"x-delivery-limit": DELIVERY_LIMIT} | to_dead)
    await work.bind(COMMANDS, queue)


async def _queue(channel: AbstractChannel, name: str, arguments: Mapping[str, Any]) -> AbstractQueue:
    return await channel.declare_queue(name, durable=True, arguments={**_QUORUM, **arguments})


def _milliseconds(pause: timedelta) -> int:
    return pause // timedelta(milliseconds=1)
