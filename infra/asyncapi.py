"""The AsyncAPI 3 document of what travels over Kafka and RabbitMQ, made from the messages and the topology."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from infra.asyncapi_messages import FORMS, components, message
from infra.bus import LADDER
from infra.kafka.records import CATEGORIES, topic_of
from infra.rabbitmq.topology import COMMANDS, DEAD, DELIVERY_LIMIT, QUEUES, dead_queue, retry_queue, suspects_queue
from schemas.base import Category
from schemas.commands import Queue
from schemas.wire import COMMANDS as COMMAND_KINDS
from schemas.wire import category_of, queue_named

Json = dict[str, Any]
Followers = Mapping[str, Collection[Category]]
"""The categories that each process follows."""

WORKERS: Final[Mapping[Queue, str]] = {
    "orders.inbox": "write-api",
    "payments.work": "payment-worker",
    "notifications.work": "notification-worker",
}
_SURELY: Final = {"amqp": {"deliveryMode": 2, "mandatory": True, "bindingVersion": "0.3.0"}}
_ACKNOWLEDGED: Final = {"amqp": {"ack": True, "bindingVersion": "0.3.0"}}


def document(followers: Followers, prefix: str = "orderflow") -> Json:
    """Give the document; `prefix` is that of the topics."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "OrderFlow events and commands",
            "version": "1",
            "description": (
                "Kafka carries facts: events, at least once, in order for each key. RabbitMQ carries work: commands, "
                "one worker each, at least once. A message never changes its form: a new form has a new wire name."
            ),
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {"host": "{kafka}", "protocol": "kafka", "variables": {"kafka": {"default": "localhost:9092"}}},
            "rabbitmq": {
                "host": "{rabbitmq}",
                "protocol": "amqp",
                "protocolVersion": "0.9.1",
                "variables": {"rabbitmq": {"default": "localhost:5672"}},
            },
        },
        "channels": {**_topics(prefix), **_queues()},
        "operations": {**_publishing(), **_following(followers), **_sending(), **_working()},
        "components": components(),
    }


def _topics(prefix: str) -> Json:
    return {
        category: {
            "address": topic_of(prefix, category),
            "title": f"Facts about each {category}",
            "description": (
                "The key is the stream's id, and the value is the bytes that the log stores. A key stays in its "
                "partition, so the events of one stream come in order; those of different streams need not. "
                "ORDERFLOW_TOPIC_PARTITIONS says how many partitions a topic is made with. A consumer that "
                f"ORDERFLOW_PINNED names has {topic_of(prefix, category)}.<consumer> for itself, in the forms it knows."
            ),
            "servers": [{"$ref": "#/servers/kafka"}],
            "messages": {name: message(name) for name in FORMS if category_of(name) == category},
            "bindings": {"kafka": {"topic": topic_of(prefix, category), "bindingVersion": "0.5.0"}},
        }
        for category in CATEGORIES
    }


def _queues() -> Json:
    return {
        queue: {
            "address": queue,
            "title": f"Work for the {WORKERS[queue]}",
            "description": (
                f"Published to the exchange {COMMANDS} with the queue's name as the routing key: persistent, confirmed "
                f"and mandatory. What fails comes back after the pause of each retry queue in turn. What was in flight "
                f"when a worker ended is handled alone from {suspects_queue(queue)}. What is used up goes through the "
                f"exchange {DEAD} to {dead_queue(queue)}, and from there into the table dead_letters."
            ),
            "servers": [{"$ref": "#/servers/rabbitmq"}],
            "messages": {name: message(name) for name in COMMAND_KINDS if queue_named(name) == queue},
            "bindings": {
                "amqp": {
                    "is": "queue",
                    "queue": {"name": queue, "durable": True, "exclusive": False, "autoDelete": False},
                    "bindingVersion": "0.3.0",
                }
            },
            **_around(queue),
        }
        for queue in QUEUES
    }


def _around(queue: Queue) -> Json:
    """Say what the binding has no words for."""
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-exchange": {"name": COMMANDS, "type": "direct", "durable": True, "routingKey": queue},
        "x-retry-queues": [
            {"name": retry_queue(queue, pause), "pauseSeconds": pause.total_seconds()} for pause in LADDER
        ],
        "x-suspects-queue": suspects_queue(queue),
        "x-dead-letter": {"exchange": DEAD, "type": "direct", "routingKey": queue, "queue": dead_queue(queue)},
    }


def _publishing() -> Json:
    return {
        f"relay.{category}": _operation("send", category, f"The relay copies every {category} event of the log.")
        for category in CATEGORIES
    }


def _following(followers: Followers) -> Json:
    return {
        f"{follower}.{category}": _operation("receive", category, f"The {follower} process applies each event once.")
        for follower, categories in followers.items()
        for category in CATEGORIES
        if category in categories
    }


def _sending() -> Json:
    said = "The outbox sends what was stored with the decision to send it."
    return {f"outbox.{queue}": _operation("send", queue, said, _SURELY) for queue in QUEUES}


def _working() -> Json:
    return {
        f"{worker}.{queue}": _operation("receive", queue, f"The {worker} carries each command out once.", _ACKNOWLEDGED)
        for queue, worker in WORKERS.items()
    }


def _operation(action: str, channel: str, summary: str, bindings: Json | None = None) -> Json:
    told = {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}
    return told | ({"bindings": bindings} if bindings else {})
