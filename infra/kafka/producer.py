"""The one who may write to the topics: a transactional producer, which fences whoever was it before."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Event
from time import monotonic
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from infra.kafka.topics import client_settings, reason
from infra.settings import Settings

_SLICE_SECONDS: Final = 0.5
"""How long one call waits, so that a thread ends soon when it is told to."""
_PATIENCE_SECONDS: Final = 10.0
_TRANSACTION_MS: Final = 5_000
_ALLOWANCE_BYTES: Final = 65_536
_MOST_BATCH_BYTES: Final = 1_000_000
_MOST_WAITING_KB: Final = 65_536
"""Of memory; with more, `produce` waits."""
_MOST_TRANSACTION_BYTES: Final = 16_000_000
"""What a slow broker, too, takes before a transaction is too old."""
_FENCED: Final = frozenset({KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH})  # noqa: SLF001 - its public name

Place = tuple[str, int]
"""A topic and one of its partitions."""


class Interrupted(Exception):  # noqa: N818 - a state of the world
    """Not known to be published. Begin again: open a producer, and see how far the topics are."""


class Fenced(Interrupted):
    """Another producer was opened with this transactional id."""


class Record(NamedTuple):
    topic: str
    value: bytes
    key: bytes
    headers: list[tuple[str, bytes]]


class TransactionalProducer:
    """Blocks, so call it in a thread; every method raises Interrupted. Of no use after that, but to be closed."""

    def __init__(self, settings: Settings, transactional_id: str, *, most_bytes: int, give_up: Event) -> None:
        """`most_bytes` is the largest record; once `give_up` is set, no method waits any longer."""
        self._give_up = give_up
        self._in_transaction = False
        self._bytes = 0
        """Sent in this transaction."""
        self._failure: str | None = None
        self._anew: str | None = None
        self._unsure = False
        self._ends: dict[Place, int] = {}
        self._check: Callable[[], None] = lambda: None
        self._producer = Producer(
            {
                **client_settings(settings),
                "transactional.id": transactional_id,
                # Short, because readers of committed records wait for an abandoned transaction.
                "transaction.timeout.ms": _TRANSACTION_MS,
                "message.timeout.ms": _TRANSACTION_MS,
                "socket.timeout.ms": _TRANSACTION_MS - 500,
                # More than a record takes with its key and headers: the topic itself says what is too large.
                "message.max.bytes": most_bytes + _ALLOWANCE_BYTES,
                "batch.size": min(most_bytes, _MOST_BATCH_BYTES),
                "queue.buffering.max.kbytes": _MOST_WAITING_KB,
                "linger.ms": 0,
                "compression.type": "lz4",
                "partitioner": "murmur2_random",
                "topic.metadata.propagation.max.ms": 5_000,
            }
        )

    def open(self) -> None:
        """Become the one who may write: ends the transaction of whoever was it, and makes all its calls fail."""
        with _translated():
            self._repeat(self._producer.init_transactions)

    def expect(self, ends: Mapping[Place, int], check: Callable[[], None]) -> None:
        """Tell where the partitions end; a record that gets a lower offset is in a topic that begins anew.

        A partition that was empty does not tell, so `check` is called before its first record is committed.
        """
        self._ends = dict(ends)
        self._check = check

    def send(self, records: Iterable[Record]) -> None:
        """Send in this order, in a transaction that goes on until `commit`; what fails later, `commit` tells.

        A transaction that has grown large is committed on the way.
        """
        with _translated():
            for record in records:
                if not self._in_transaction:
                    self._begin()
                self._produce(record)
                self._bytes += len(record.value)
                if self._bytes > _MOST_TRANSACTION_BYTES:
                    self.commit()
            self._producer.poll(0)
        if self._failure is not None:
            raise Interrupted(self._failure)

    def commit(self) -> None:
        """Publish what was sent: all of it, once this returns."""
        if not self._in_transaction:
            return
        with _translated():
            self._drain()
            if self._anew is not None:
                raise Interrupted(f"the topic {self._anew} begins anew")
            if self._unsure:
                self._check()
            self._repeat(self._producer.commit_transaction)  # says better than a delivery why it failed
        self._in_transaction = False
        if self._failure is not None:
            raise Interrupted(self._failure)

    def close(self) -> None:
        """Forget what is under way, which the next producer's opening aborts.

        Its own `close` would abort it now, and wait for a broker that is away for as long as that takes.
        """
        with suppress(KafkaException, SystemError):
            self._producer.purge()
        del self._producer

    def _begin(self) -> None:
        self._failure, self._unsure, self._bytes = None, False, 0
        self._producer.begin_transaction()
        self._in_transaction = True

    def _produce(self, record: Record) -> None:
        topic, value, key, headers = record
        until = monotonic() + _PATIENCE_SECONDS
        while self._failure is None:
            try:
                self._producer.produce(topic, value, key, headers=headers, on_delivery=self._delivered)  # type: ignore[arg-type]
            except BufferError:
                if self._is_enough(until):
                    raise Interrupted("records were not taken in time") from None
                self._producer.poll(_SLICE_SECONDS)
            else:
                return

    def _drain(self) -> None:
        until = monotonic() + _PATIENCE_SECONDS
        try:
            while left := self._producer.flush(_SLICE_SECONDS):
                if self._failure is not None:
                    return
                if self._is_enough(until):
                    raise Interrupted(f"{left} records were not taken in time")
        except SystemError as error:  # a fatal error amid callbacks: the commit says which
            self._failure = self._failure or str(error)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failure = self._failure or error.str()
            return
        place, offset = (message.topic() or "", message.partition() or 0), message.offset() or 0
        end = self._ends.get(place, 0)
        self._unsure = self._unsure or end == 0
        if offset < end:
            self._anew = place[0]
        self._ends[place] = offset + 1

    def _repeat(self, call: Callable[[float], Any]) -> None:
        """Call again until it is done: librdkafka goes on where it was when its time was up."""
        until = monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                call(_SLICE_SECONDS)
            except KafkaException as error:
                if not error.args[0].retriable() or self._is_enough(until):
                    raise
            else:
                return

    def _is_enough(self, until: float) -> bool:
        return self._give_up.is_set() or monotonic() > until


@contextmanager
def _translated() -> Iterator[None]:
    """A fatal error that comes amid callbacks leaves the library as SystemError, with itself as the cause."""
    try:
        yield
    except KafkaException as error:
        raise _interrupted(error) from error
    except SystemError as error:
        if isinstance(error.__cause__, KafkaException):
            raise _interrupted(error.__cause__) from error
        raise


def _interrupted(error: KafkaException) -> Interrupted:
    fenced = error.args[0].code() in _FENCED
    return Fenced("another relay has taken over") if fenced else Interrupted(reason(error))
