"""Looks at what a queue holds, and puts messages into it by hand."""

from functools import partial

from aio_pika import Message
from aio_pika.abc import AbstractIncomingMessage

from tests.infra.bus_rigs import RabbitRig
from tests.waiting import eventually


async def got(rig: RabbitRig, queue: str = "orders.inbox") -> AbstractIncomingMessage:
    """Take one message out of a queue, once there is one."""
    async with rig.channel() as channel:
        source = await channel.get_queue(queue, ensure=False)
        message = await eventually(partial(source.get, fail=False))
        assert message is not None
        await message.ack()
    message.headers.pop("x-delivery-count")
    return message


async def publish(rig: RabbitRig, message: Message, queue: str = "orders.inbox") -> None:
    async with rig.channel() as channel:
        await channel.default_exchange.publish(message, queue)


def copied(message: AbstractIncomingMessage) -> Message:
    return Message(message.body, headers=dict(message.headers), message_id=message.message_id, type=message.type)
