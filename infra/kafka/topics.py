"""The topics of the categories, made explicitly: a topic that a broker makes by itself has the wrong partitions."""

import logging
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future
from threading import Event
from time import monotonic, sleep
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from infra.kafka.records import CATEGORIES, topic_of
from infra.kafka.threads import in_thread
from infra.settings import Settings
from schemas.base import Category

T = TypeVar("T")

TIMEOUT_SECONDS: Final = 10.0
_ENOUGH_REPLICAS: Final = 3
_LOOK_SECONDS: Final = 0.05
_SLICE_SECONDS: Final = 0.5
"""How long one call waits, so that a thread ends soon when it is told to."""
AWAY: Final = frozenset({KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN})  # noqa: SLF001
_quiet: Final = logging.getLogger("librdkafka")


class KafkaUnreachable(Exception):  # noqa: N818 - a state of the world
    """No broker answered in time."""


def client_settings(settings: Settings) -> dict[str, Any]:
    """Give what every librdkafka client of ours is told."""
    return {
        **_security(settings),
        "bootstrap.servers": settings.kafka_servers,
        "client.id": settings.topic_prefix,
        "reconnect.backoff.max.ms": 500,
        "socket.connection.setup.timeout.ms": 3_000,
        "socket.timeout.ms": 10_000,
        "socket.keepalive.enable": True,
        "log_level": 4,
        "logger": _quiet,
    }


def _security(settings: Settings) -> dict[str, str]:
    told: dict[str, str] = {"security.protocol": settings.kafka_security}
    if settings.kafka_ca_file:
        told["ssl.ca.location"] = str(settings.kafka_ca_file)
    if settings.kafka_user and settings.kafka_password:
        told["sasl.mechanism"] = settings.kafka_sasl_mechanism
        told["sasl.username"] = settings.kafka_user
        told["sasl.password"] = settings.kafka_password.get_secret_value()
    return told


async def ensure_topics(settings: Settings) -> None:
    """Create the topics that are missing; one that exists is left as it is. Raises KafkaUnreachable."""
    give_up = Event()
    await in_thread(lambda: create_missing(settings, give_up=give_up), give_up)


def create_missing(
    settings: Settings,
    *,
    seconds: float = TIMEOUT_SECONDS,
    config: Mapping[str, str] | None = None,
    give_up: Event | None = None,
    names: Iterable[str] | None = None,
) -> None:
    """Do the same in the calling thread, for no longer than until `give_up` is set; `config` is of the new topics.

    Those of the categories, unless `names` says otherwise.
    """
    admin = AdminClient(client_settings(settings))
    give_up = give_up or Event()
    try:
        known = listed(admin, seconds, give_up)
        missing = [name for name in names or topics_of(settings).values() if name not in known]
        if missing:
            topics = [new_topic(settings, name, config or {}) for name in missing]
            made = admin.create_topics(topics, request_timeout=seconds, operation_timeout=seconds).values()
            _settle(made, give_up)
            _wait_for(admin, missing, seconds, give_up)
    except KafkaException as error:
        raise KafkaUnreachable(f"Kafka at {settings.kafka_servers} cannot be used: {reason(error)}") from error


def listed(admin: AdminClient, seconds: float, give_up: Event) -> Mapping[str, Any]:
    """Give the topics by name."""
    until = monotonic() + seconds
    while True:
        try:
            return admin.list_topics(timeout=min(seconds, _SLICE_SECONDS)).topics
        except KafkaException as error:
            if error.args[0].code() not in AWAY or give_up.is_set() or monotonic() > until:
                raise


def settled(future: "Future[T]", give_up: Event) -> T:
    """Wait for what a broker answers; raises KafkaUnreachable when told to give up."""
    while not give_up.is_set():
        try:
            return future.result(_SLICE_SECONDS)
        except TimeoutError:
            continue
    raise KafkaUnreachable("told to stop")


def new_topic(settings: Settings, name: str, config: Mapping[str, str]) -> NewTopic:
    """Facts are kept for ever, and on two brokers before they count where there are enough to do without one."""
    told = {"retention.ms": "-1"}
    if settings.topic_replication >= _ENOUGH_REPLICAS:
        told["min.insync.replicas"] = "2"
    return NewTopic(name, settings.topic_partitions, settings.topic_replication, config={**told, **config})


def topics_of(settings: Settings) -> dict[Category, str]:
    return {category: topic_of(settings.topic_prefix, category) for category in CATEGORIES}


def reason(error: KafkaException) -> str:
    """Say why Kafka did not do it, in one line."""
    return str(error.args[0].str())


def _settle(creations: Iterable[Future[None]], give_up: Event) -> None:
    for creation in creations:
        try:
            settled(creation, give_up)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another process was faster
                raise


def _wait_for(admin: AdminClient, names: Iterable[str], seconds: float, give_up: Event) -> None:
    """Wait until the broker that answers has heard of what was created, and of who leads its partitions."""
    until = monotonic() + seconds
    while monotonic() < until and not give_up.is_set():
        known = listed(admin, seconds, give_up)
        if all(name in known and _are_led(known[name].partitions.values()) for name in names):
            return
        sleep(_LOOK_SECONDS)


def _are_led(partitions: Collection[Any]) -> bool:
    return bool(partitions) and all(partition.error is None for partition in partitions)
