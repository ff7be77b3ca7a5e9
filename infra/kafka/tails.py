"""How far the topics are: the newest committed events on each, whatever anybody remembers."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Event
from time import monotonic, sleep
from typing import Any, Final, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined]

from infra.event_log import Stored
from infra.kafka.producer import Interrupted, Place
from infra.kafka.records import REPAIRED, BadRecord, stored_of
from infra.kafka.topics import AWAY, TIMEOUT_SECONDS, client_settings, reason, settled
from infra.settings import Settings

_DESCRIBE_SECONDS: Final = 5.0
_FIRST_LOOK: Final = 64
_WIDER: Final = 32
_BATCH: Final = 1_000
_NOT_YET: Final = AWAY | {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE}
"""Also what a broker says while a new topic gets its partitions."""
_SLICE_SECONDS: Final = 1.0
_NOT_YET_SECONDS: Final = 0.05
_PATIENCE_SECONDS: Final = 30.0
_OVERHEAD_BYTES: Final = 1_024
"""Headers, key, and what Kafka adds to a record, at most."""


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


def describe(settings: Settings, topics: Iterable[str], give_up: Event | None = None) -> Topics:
    """Ask for ids, partitions and limits; raises Interrupted, also when a topic is missing."""
    admin = AdminClient(client_settings(settings))
    names, give_up = list(topics), give_up or Event()
    try:
        described = admin.describe_topics(TopicCollection(names), request_timeout=_DESCRIBE_SECONDS)
        ids = {name: _described(name, found, give_up) for name, found in described.items()}
        resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
        told = admin.describe_configs(resources, request_timeout=_DESCRIBE_SECONDS).values()
        limits = [int(settled(config, give_up)["max.message.bytes"].value) for config in told]
    except KafkaException as error:
        raise Interrupted(reason(error)) from error
    return Topics(
        {name: str(topic.topic_id) for name, topic in ids.items()},
        {name: len(topic.partitions) for name, topic in ids.items()},
        min(limits) - _OVERHEAD_BYTES,
    )


def _described(name: str, found: "Future[Any]", give_up: Event) -> Any:  # noqa: ANN401 - of librdkafka
    try:
        return settled(found, give_up)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise Interrupted(f"there is no topic {name}") from error
        raise


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

    def read(self, topics: Topics) -> Tails:
        tails = Tails()
        bounds = bounds_of(self._consumer, topics, self._give_up)
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

    def _from(self, starts: Mapping[Place, int], ends: Mapping[Place, int]) -> dict[Place, list[Stored]]:
        """Give the events between two offsets of each partition; a partition without any is left out."""
        found: defaultdict[Place, list[Stored]] = defaultdict(list)
        for message in committed(self._consumer, starts, ends, self._give_up):
            if (stored := _event(message)) is not None:
                found[place_of(message)].append(stored)
        return found


def bounds_of(consumer: Consumer, topics: Topics, give_up: Event | None = None) -> dict[Place, tuple[int, int]]:
    """Give the oldest offset of each partition, and the one after its newest."""
    places = [(name, number) for name, count in topics.partitions.items() for number in range(count)]
    return {place: _bounds(consumer, place, give_up or Event()) for place in places}


def _bounds(consumer: Consumer, place: Place, give_up: Event) -> tuple[int, int]:
    until = monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            return consumer.get_watermark_offsets(TopicPartition(*place), _SLICE_SECONDS)
        except KafkaException as error:
            if error.args[0].code() not in _NOT_YET or give_up.is_set() or monotonic() > until:
                raise
        sleep(_NOT_YET_SECONDS)


def committed(
    consumer: Consumer, starts: Mapping[Place, int], ends: Mapping[Place, int], give_up: Event
) -> Iterator[Message]:
    """Give the records between two offsets of each partition; raises Interrupted when nothing comes for long."""
    consumer.assign([TopicPartition(name, number, start) for (name, number), start in starts.items()])
    left, until = set(starts), monotonic() + _PATIENCE_SECONDS
    while left:
        if give_up.is_set() or monotonic() > until:
            raise Interrupted("the topics were not read in time")
        for message in consumer.consume(_BATCH, timeout=0.5):
            until = monotonic() + _PATIENCE_SECONDS
            place = place_of(message)
            if _is_end(message) or (message.offset() or 0) >= ends[place]:
                left.discard(place)
            elif place in left:
                yield message


def place_of(message: Message) -> Place:
    return message.topic() or "", message.partition() or 0


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
