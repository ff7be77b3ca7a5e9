"""Queues are declared by whoever comes first, and never quietly used when they are different ones."""

import asyncio
from datetime import timedelta

import aio_pika
import pytest

from infra.bus import LADDER
from infra.rabbitmq.bus import RabbitBus
from infra.rabbitmq.topology import OtherArguments, declare, retry_queue
from schemas.commands import Sent


async def test_everybody_may_declare_at_the_same_time(rabbitmq_url: str) -> None:
    async with await aio_pika.connect(rabbitmq_url) as one, await aio_pika.connect(rabbitmq_url) as other:
        await asyncio.gather(declare(one), declare(other))
        await declare(one)
        async with one.channel() as channel:
            found = await channel.declare_queue("orders.inbox.retry.600s", passive=True)
    assert found.declaration_result.consumer_count == 0


async def test_a_queue_with_other_arguments_is_refused_with_what_to_do(rabbitmq_url: str) -> None:
    async with await aio_pika.connect(rabbitmq_url) as connection, connection.channel() as channel:
        await channel.declare_queue("payments.work", durable=True)

    async def handle(_: Sent) -> None: ...

    bus = RabbitBus(rabbitmq_url)
    bus.consume("orders.inbox", handle, concurrency=1)
    with pytest.raises(OtherArguments, match=r"'payments\.work'.*rabbitmqctl delete_queue"):
        await bus.run()


def test_the_steps_of_the_ladder_are_named_after_their_pauses() -> None:
    names = [retry_queue("orders.inbox", pause) for pause in (*LADDER, timedelta(milliseconds=50))]
    steps = ["1s", "10s", "60s", "600s", "50ms"]
    assert names == [f"orders.inbox.retry.{step}" for step in steps]
