"""A relay between a log and topics of its own, and what is on those topics."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
from confluent_kafka import Consumer, Producer
from pydantic import SecretStr

from infra.event_log import Stored
from infra.kafka.records import headers_of, key_of
from infra.kafka.relay import service
from infra.kafka.tails import bounds_of, committed, describe, headers_in, reading
from infra.kafka.topics import create_missing, topics_of
from infra.runtime import open_runtime
from infra.settings import Settings
from infra.signals import EVENTS
from schemas.events import Event
from schemas.recorded import encode
from tests.examples import placed, received, recorded
from tests.vault import vault_file
from tests.waiting import eventually

Headers = Mapping[str, bytes | None]
Row = tuple[UUID, int, str, bytes]


@dataclass(frozen=True, slots=True)
class Found:
    """A committed record."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: dict[str, bytes | None]

    @property
    def position(self) -> int:
        return int(self.headers["orderflow-position"] or 0)


def an_order(versions: int = 3) -> list[Row]:
    stream_id = uuid4()
    return [_row(placed(), version, stream_id) for version in range(1, versions + 1)]


def a_delivery() -> list[Row]:
    """Give the first event of a stock of its own."""
    return [_row(received(sku=uuid4().hex.upper()), 1, uuid4())]


def a_poison(stream_id: UUID, version: int) -> Row:
    return stream_id, version, "order.placed.v1", b"{not an envelope"


def _row(event: Event, version: int, order_id: UUID) -> Row:
    in_envelope = recorded(event, version, order_id=order_id)
    return in_envelope.stream_id, version, event.type, encode(in_envelope)


def _stored(row: tuple[Any, ...]) -> Stored:
    position, stream_id, version, topic, state = row
    return Stored(position, stream_id, version, topic, bytes(state))


@dataclass(frozen=True, slots=True)
class Place:
    """A database, and topics with a prefix of their own."""

    settings: Settings

    @property
    def dsn(self) -> str:
        return self.settings.postgres_dsn.get_secret_value()

    def topic(self, category: str) -> str:
        return f"{self.settings.topic_prefix}.{category}"

    def append(self, rows: Iterable[Row]) -> list[Stored]:
        """Store rows as they are, and wake who waits for them."""
        with psycopg.connect(self.dsn) as connection, connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (%s, %s, %s, %s)"
                " RETURNING notification_id, originator_id, originator_version, topic, state",
                list(rows),
                returning=True,
            )
            stored = [_stored(row) for result in cursor.results() for row in result]
            cursor.execute("SELECT pg_notify(%s, '')", (EVENTS,))
        return stored

    def logged(self) -> dict[int, Stored]:
        query = "SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events"
        with psycopg.connect(self.dsn) as connection:
            return {row[0]: _stored(row) for row in connection.execute(query).fetchall()}

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement.encode())

    def replace_state(self, position: int, state: bytes) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute("UPDATE stored_events SET state = %s WHERE notification_id = %s", (state, position))

    def query(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()

    def found(self, names: Iterable[str] = ()) -> list[Found]:
        """Give every committed record, each partition in its order; of everybody's topics unless others are named."""
        topics = describe(self.settings, names or topics_of(self.settings).values())
        consumer = Consumer(reading(self.settings))
        try:
            bounds = bounds_of(consumer, topics)
            starts = {place: low for place, (low, high) in bounds.items() if high > low}
            ends = {place: high for place, (_, high) in bounds.items()}
            return [
                Found(
                    message.topic() or "",
                    message.partition() or 0,
                    message.key() or b"",
                    message.value() or b"",
                    dict(headers_in(message)),
                )
                for message in committed(consumer, starts, ends, threading.Event())
            ]
        finally:
            consumer.close()

    def plant(
        self, *stored: Stored, headers: Mapping[str, bytes | None] | None = None, key: bytes | None = None
    ) -> None:
        """Write records past the relay, in this order; `headers` and `key` replace those of the event."""
        create_missing(self.settings)
        producer = Producer({"bootstrap.servers": self.settings.kafka_servers, "partitioner": "murmur2_random"})
        for each in stored:
            told: dict[str, str | bytes | None] = {**dict(headers_of(each)), **(headers or {})}
            producer.produce(self.topic(each.category), each.state, key or key_of(each), headers=told)
        assert producer.flush(20) == 0

    async def caught_up(self, position: int, seconds: float = 30.0, relay: str = "kafka") -> None:
        async def there() -> bool:
            rows = await asyncio.to_thread(self.query, "SELECT relay, position FROM relay_positions")
            return {str(name): int(str(at)) for name, at in rows}.get(relay, 0) >= position

        await eventually(there, seconds)

    @asynccontextmanager
    async def relay(self) -> AsyncIterator[None]:
        """Run a relay in this process."""
        tasks = asyncio.TaskGroup()
        async with open_runtime(self.settings, tasks) as runtime, tasks, service(runtime):
            yield

    async def relayed(self, position: int) -> None:
        """Run a relay until it has reached a position."""
        async with self.relay():
            await self.caught_up(position)


def a_place(database: str, redis_url: str, kafka_servers: str, *, partitions: int = 4) -> Place:
    return Place(
        Settings(
            profile="cluster",
            postgres_dsn=SecretStr(database),
            redis_url=SecretStr(redis_url),
            kafka_servers=kafka_servers,
            topic_prefix=f"t{uuid4().hex}",
            topic_partitions=partitions,
            pool_size=4,
            vault_file=vault_file(),
        )
    )


def assert_published(place: Place, *, but: Iterable[int] = ()) -> None:
    """Every event of the log is on its topic once, as it is, and the events of a stream in order."""
    logged, found = place.logged(), place.found()
    assert sorted(record.position for record in found) == sorted(logged.keys() - set(but))
    newest: dict[bytes, int] = {}
    for record in found:
        stored = logged[record.position]
        assert (record.topic, record.key, record.value) == (place.topic(stored.category), key_of(stored), stored.state)
        assert record.headers == dict(headers_of(stored))
        assert newest.get(record.key, 0) < record.position
        newest[record.key] = record.position
