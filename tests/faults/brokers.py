"""What Kafka and RabbitMQ hold, read as any other client would."""

import asyncio
from typing import Any

import aio_pika
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from infra.bus import LADDER
from infra.kafka.records import REPAIRED
from infra.rabbitmq.topology import COMMANDS, QUEUES, dead_queue, retry_queue, suspects_queue
from tests.faults.evidence import Published

CATEGORIES = ("product", "stock", "order", "payment")
_SECONDS = 20.0


def topic_names(prefix: str) -> list[str]:
    return [f"{prefix}.{category}" for category in CATEGORIES]


def read_topics(servers: str, prefix: str) -> list[Published]:
    """Read every committed record of every topic, each partition in its order."""
    settings: dict[str, Any] = {"bootstrap.servers": servers, "group.id": "checker", "enable.auto.commit": False}
    consumer = Consumer({**settings, "isolation.level": "read_committed", "enable.partition.eof": True})
    try:
        known = consumer.list_topics(timeout=_SECONDS).topics
        places = [
            TopicPartition(name, partition, OFFSET_BEGINNING)
            for name in topic_names(prefix)
            if name in known
            for partition in known[name].partitions
        ]
        consumer.assign(places)
        return _until_the_ends(consumer, len(places))
    finally:
        consumer.close()


def _until_the_ends(consumer: Consumer, partitions: int) -> list[Published]:
    found: list[Published] = []
    ended: set[tuple[str, int]] = set()
    while len(ended) < partitions:
        # Asked for many at once it would wait for as many, also where there are no more.
        message = consumer.poll(_SECONDS)
        assert message, f"Kafka did not answer within {_SECONDS} seconds"
        place = (str(message.topic()), int(message.partition() or 0))
        if message.error():
            ended.add(place)
        else:
            found.append(_record(place, message))
    return found


def _record(place: tuple[str, int], message: Message) -> Published:
    key, value, offset = bytes(message.key() or b""), bytes(message.value() or b""), int(message.offset() or 0)
    return Published(*place, offset, key, value, repaired=REPAIRED in dict(message.headers() or ()))


def delete_topic(servers: str, name: str) -> None:
    admin = AdminClient({"bootstrap.servers": servers})
    for deleted in admin.delete_topics([name], operation_timeout=_SECONDS).values():
        deleted.result(_SECONDS)


def truncate_topic(servers: str, name: str) -> None:
    """Remove every record that is there now."""
    admin = AdminClient({"bootstrap.servers": servers})
    partitions = admin.list_topics(name, timeout=_SECONDS).topics[name].partitions
    everything = [TopicPartition(name, partition, OFFSET_END) for partition in partitions]
    for truncated in admin.delete_records(everything).values():
        truncated.result(_SECONDS)


def unbound(url: str, queue: str, seconds: float) -> None:
    """Take the way to a queue away for a while: what is published to it meanwhile cannot be routed."""
    asyncio.run(_unbound(url, queue, seconds))


async def _unbound(url: str, name: str, seconds: float) -> None:
    async with await aio_pika.connect(url, timeout=5) as connection, await connection.channel() as channel:
        queue = await channel.get_queue(name)
        await queue.unbind(COMMANDS, name)
        await asyncio.sleep(seconds)
        await queue.bind(COMMANDS, name)


def queue_depths(url: str) -> dict[str, int]:
    """Give how many messages wait in each queue, those on the ladder and those given up included."""
    return asyncio.run(_depths(url))


async def _depths(url: str) -> dict[str, int]:
    names = [
        name
        for queue in QUEUES
        for name in (queue, dead_queue(queue), suspects_queue(queue), *(retry_queue(queue, pause) for pause in LADDER))
    ]
    async with await aio_pika.connect(url, timeout=5) as connection, await connection.channel() as channel:
        found = {}
        for name in names:
            queue = await channel.declare_queue(name, passive=True)
            found[name] = int(queue.declaration_result.message_count or 0)
        return found
