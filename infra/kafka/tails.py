"""How far the topics are: the newest committed events on each, whatever anybody remembers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import Event
from time import monotonic
from typing import Any, Final, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined]

from infra.event_log import Stored
from infra.kafka.producer import Interrupted, Place
from infra.kafka.records import REPAIRED, BadRecord, stored_of
from infra.kafka.topics import TIMEOUT_SECONDS, client_settings, reason
from infra.settings import Settings

_FIRST_LOOK: Final = 64
_WIDER: Final = 32
_BATCH: Final = 1_000
_PATIENCE_SECONDS: Final = 30.0
_OVERHEAD_BYTES: Final = 512
"""What Kafka adds to a record with our headers, at most."""


@dataclass(frozen=True, slots=True)
class Topics:
    """What the broker says about the topics that it has."""

    ids: Mapping[str, str]
    """Of one name, a topic that was deleted and created again has another id."""
    partitions: Mapping[str, int]
    most_bytes: int
    """The largest record that all of them take."""


@dataclass(slots=True)
class Tails:
    ends: dict[Place, int] = field(default_factory=dict)
    """The offset that the next record of a partition gets, at least."""
    newest: defaultdict[str, list[Stored]] = field(default_factory=lambda: defaultdict(list))
    """Some of the newest events on each topic, in no order; records that are none of ours are left out."""
    emptied: set[str] = field(default_factory=set)
    """Topics from which the broker has removed every event, so that nothing can be said."""


def describe(settings: Settings, topics: Iterable[str]) -> Topics:
    """Ask for ids, partitions and limits; raises Interrupted, also when a topic is missing."""
    admin = AdminClient(client_settings(settings))
    names = list(topics)
    try:
        described = admin.describe_topics(TopicCollection(names), request_timeout=TIMEOUT_SECONDS)
        ids = {name: found.result() for name, found in described.items()}
        resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
        told = admin.describe_configs(resources, request_timeout=TIMEOUT_SECONDS).values()
        limits = [int(config.result()["max.message.bytes"].value) for config in told]
    except KafkaException as error:
        raise Interrupted(reason(error)) from error
    return Topics(
        {name: str(topic.topic_id) for name, topic in ids.items()},
        {name: len(topic.partitions) for name, topic in ids.items()},
        min(limits) - _OVERHEAD_BYTES,
    )


def read_tails(settings: Settings, topics: Topics, give_up: Event) -> Tails:
    """Read the end of every partition, as far back as it takes to find an event; raises Interrupted."""
    consumer = Consumer(reading(settings))
    try:
        return _Reading(consumer, give_up).read(topics)
    except KafkaException as error:
        raise Interrupted(reason(error)) from error
    finally:
        consumer.close()


def reading(settings: Settings) -> dict[str, Any]:
    """Give the settings of a consumer that reads what is committed, and leaves no trace."""
    return {
        **client_settings(settings),
        "group.id": f"{settings.topic_prefix}.relay.tails",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
    }


class _Reading:
    def __init__(self, consumer: Consumer, give_up: Event) -> None:
        self._consumer = consumer
        self._give_up = give_up
        self._until = monotonic() + _PATIENCE_SECONDS

    def read(self, topics: Topics) -> Tails:
        tails = Tails()
        places = [(name, number) for name, count in topics.partitions.items() for number in range(count)]
        bounds = {
            place: self._consumer.get_watermark_offsets(TopicPartition(*place), TIMEOUT_SECONDS) for place in places
        }
        tails.ends = {place: high for place, (_, high) in bounds.items()}
        wanted = {place: high for place, (low, high) in bounds.items() if high > low}
        look = _FIRST_LOOK
        while wanted:
            starts = {place: max(bounds[place][0], tails.ends[place] - look) for place in wanted}
            found = self._from(starts, wanted)
            for (name, _), events in found.items():
                tails.newest[name] += events
            wanted = {
                place: start for place, start in starts.items() if place not in found and start > bounds[place][0]
            }
            look *= _WIDER
        removed = {name for (name, _), (low, _) in bounds.items() if low > 0}
        tails.emptied = {name for name in removed if not tails.newest[name]}
        return tails

    def _bounds(self, place: Place) -> tuple[int, int]:
        return self._consumer.get_watermark_offsets(TopicPartition(*place), TIMEOUT_SECONDS)

    def _from(self, starts: Mapping[Place, int], ends: Mapping[Place, int]) -> dict[Place, list[Stored]]:
        """Give the events between two offsets of each partition; a partition without any is left out."""
        self._consumer.assign([TopicPartition(name, number, start) for (name, number), start in starts.items()])
        found: defaultdict[Place, list[Stored]] = defaultdict(list)
        left = set(starts)
        while left:
            if self._give_up.is_set() or monotonic() > self._until:
                raise Interrupted("the ends of the topics were not read in time")
            for message in self._consumer.consume(_BATCH, timeout=0.5):
                place = (message.topic() or "", message.partition() or 0)
                if _is_end(message) or (message.offset() or 0) >= ends[place]:
                    left.discard(place)
                elif (stored := _event(message)) is not None:
                    found[place].append(stored)
        return found


def _is_end(message: Message) -> bool:
    error = message.error()
    if error is None:
        return False
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
        return True
    raise KafkaException(error)


def _event(message: Message) -> Stored | None:
    headers = headers_in(message)
    if REPAIRED in dict(headers):
        return None
    try:
        return stored_of(message.key(), message.value(), headers)
    except BadRecord:
        return None


def headers_in(message: Message) -> list[tuple[str, bytes | None]]:
    """Give what librdkafka gives: a list of pairs, which its type does not say."""
    return cast("list[tuple[str, bytes | None]]", message.headers() or [])
