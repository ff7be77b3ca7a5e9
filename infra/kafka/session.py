"""One relay while it holds the lease: knows how far the topics are, and is the only one who may write to them."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Event
from typing import Final, Self

from psycopg_pool import AsyncConnectionPool

from infra.event_log import COLUMNS, Stored
from infra.kafka.audience import EVERYBODY, Audience
from infra.kafka.lease import Reached
from infra.kafka.producer import Interrupted, Record, TransactionalProducer
from infra.kafka.records import BadRecord
from infra.kafka.tails import Tails, Topics, describe, read_tails
from infra.kafka.threads import in_thread
from infra.kafka.topics import create_missing
from infra.settings import Settings
from schemas.base import Category

_MOST_CANDIDATES: Final = 10_000
_AT: Final = COLUMNS + "WHERE notification_id = ANY(%s)"
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Start:
    """Where to go on."""

    reached: int
    """Everything up to here is on its topic, or parked, apart from what a topic has lost."""
    after: Mapping[Category, int]
    """Per category, the position after which to publish: less than `reached` when its topic has lost events."""

    @property
    def first(self) -> int:
        return min(self.after.values())

    def wants(self, stored: Stored) -> bool:
        return stored.position > self.reached or stored.position > self.after.get(stored.category, self.reached)


class Session:
    """Every method raises Interrupted or KafkaUnreachable when Kafka fails; then open another one."""

    def __init__(
        self,
        settings: Settings,
        audience: Audience,
        topics: Topics,
        producer: TransactionalProducer,
        give_up: Event,
    ) -> None:
        self._settings = settings
        self._audience = audience
        self._named = audience.topics(settings.topic_prefix)
        self._producer = producer
        self._give_up = give_up
        self.topics = topics
        self.tails = Tails()

    @classmethod
    async def open(cls, settings: Settings, audience: Audience = EVERYBODY) -> Self:
        """Make missing topics, shut every other relay out, and then see how far the topics are, in this order."""
        give_up = Event()
        return await in_thread(lambda: cls._open(settings, audience, give_up), give_up)

    @classmethod
    def _open(cls, settings: Settings, audience: Audience, give_up: Event) -> Self:
        names = audience.topics(settings.topic_prefix).values()
        create_missing(settings, give_up=give_up, names=names)
        topics = describe(settings, names, give_up)
        name = f"{settings.topic_prefix}.{audience.letters}"
        producer = TransactionalProducer(settings, name, most_bytes=topics.most_bytes, give_up=give_up)
        try:
            producer.open()
            session = cls(settings, audience, topics, producer, give_up)
            session.tails = read_tails(settings, topics, give_up)
            producer.expect(session.tails.ends, session._check_ids)
        except BaseException:
            producer.close()
            raise
        return session

    async def send(self, records: Iterable[Record]) -> None:
        await in_thread(lambda: self._producer.send(records), self._give_up)

    async def commit(self) -> None:
        await in_thread(self._producer.commit, self._give_up)

    async def check_topics(self) -> None:
        """Raise Interrupted when Kafka does not answer, or a topic was deleted, even if there is a new one like it."""
        await in_thread(self._check_ids, self._give_up)

    def _check_ids(self) -> None:
        if describe(self._settings, self.topics.ids, self._give_up).ids != self.topics.ids:
            raise Interrupted("a topic was deleted")

    async def close(self) -> None:
        self._give_up.set()
        await in_thread(self._producer.close, self._give_up)

    async def start(self, pool: AsyncConnectionPool, stored: Reached, known: Mapping[str, str]) -> Start:
        """Compare what is remembered with what is on the topics; `known` are the ids that topics had before."""
        on_topics = await self._found_in_log(pool)
        reached = max(stored.position, *(position or 0 for position in on_topics.values()))
        after: dict[Category, int] = {}
        for category, topic in self._named.items():
            newest, remembered = on_topics[category], stored.published.get(category, 0)
            pinned_since = newest == 0 and self._audience.consumer is not None
            if pinned_since or known.get(topic, self.topics.ids[topic]) != self.topics.ids[topic]:
                after[category] = 0
            elif newest is None or newest >= remembered:
                after[category] = reached
            else:
                after[category] = newest
            if after[category] < reached and remembered:
                _log.error("%s lacks what came after position %d: it is published now", topic, after[category])
        return Start(reached, after)

    async def _found_in_log(self, pool: AsyncConnectionPool) -> dict[Category, int | None]:
        """Give the newest position on each topic that the log confirms; None where events have been removed."""
        asked = [stored.position for tail in self.tails.newest.values() for stored in tail]
        newest_first = sorted(set(asked), reverse=True)[:_MOST_CANDIDATES]
        logged: dict[int, Stored] = {}
        async with pool.connection() as connection, connection.cursor(binary=True) as cursor:
            await cursor.execute(_AT, (newest_first,))
            logged = {row[0]: Stored(*row) for row in await cursor.fetchall()}
        found: dict[Category, int | None] = {}
        for category, topic in self._named.items():
            tail = self.tails.newest[topic]
            confirmed = [stored.position for stored in tail if self._is_logged(stored, logged)]
            if len(confirmed) < len(tail):
                _log.error("%s holds events that the log does not: run `orderflow relay audit`", topic)
            found[category] = None if topic in self.tails.emptied else max(confirmed, default=0)
        return found

    def _is_logged(self, found: Stored, logged: Mapping[int, Stored]) -> bool:
        stored = logged.get(found.position)
        try:
            return stored is not None and found in (stored, self._audience.cast(stored))
        except BadRecord:  # edited since
            return False
