"""A plain consumer in a process of its own: says when it saw which event.

`python -m tests.benchmarks.kafka_watch SERVERS ISOLATION EVENTS begin|end TOPIC...` writes `watching` when it is ready,
and at the end a line of JSON: `[[nanoseconds since 1970, [event id, ...]], ...]`, one entry per batch that it got.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, sleep, time_ns
from typing import Literal

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

Isolation = Literal["read_committed", "read_uncommitted"]
Seen = list[tuple[int, list[str]]]
IDLE_SECONDS = 60
EVENT_ID = slice(len(b'{"event_id":"'), len(b'{"event_id":"') + 36)


@dataclass(frozen=True, slots=True)
class Watch:
    process: subprocess.Popen[str]

    def seen(self) -> Seen:
        """Wait until every event was seen. Raises RuntimeError when some are not."""
        out, _ = self.process.communicate()
        if self.process.returncode != 0:
            raise RuntimeError("the events did not arrive on Kafka")
        return [(at, ids) for at, ids in json.loads(out)]


@contextmanager
def watching(
    servers: str, topics: Sequence[str], events: int, *, isolation: Isolation = "read_committed", new: bool = False
) -> Iterator[Watch]:
    """Watch topics until so many events were seen; only those that are `new`, or all."""
    options = [servers, isolation, str(events), "end" if new else "begin", *topics]
    command = [sys.executable, "-m", "tests.benchmarks.kafka_watch", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "watching\n":
            raise RuntimeError("the consumer did not start")
        yield Watch(process)
    finally:
        process.kill()
        process.wait()


def watch(servers: str, isolation: str, events: int, begin: str, topics: Sequence[str]) -> Seen:
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "watch",
            "enable.auto.commit": False,
            "isolation.level": isolation,
            "fetch.queue.backoff.ms": 1,
        }
    )
    known = consumer.list_topics(timeout=10).topics
    partitions = [TopicPartition(topic, number) for topic in topics for number in known[topic].partitions]
    for partition in partitions:
        partition.offset = _end(consumer, partition) if begin == "end" else OFFSET_BEGINNING
    consumer.assign(partitions)
    sys.stdout.write("watching\n")
    sys.stdout.flush()
    seen: Seen = []
    wanted, until = events, monotonic() + IDLE_SECONDS
    while wanted > 0 and monotonic() < until:
        first_of_batch = consumer.poll(0.5)
        if first_of_batch is None:
            continue
        at = time_ns()
        ids = [_event_id(message) for message in (first_of_batch, *consumer.consume(5_000, 0))]
        seen.append((at, ids))
        wanted, until = wanted - len(ids), monotonic() + IDLE_SECONDS
    consumer.close()
    if wanted > 0:
        raise TimeoutError(f"{wanted} of {events} events were not seen")
    return seen


def _end(consumer: Consumer, partition: TopicPartition) -> int:
    """A topic that was made a moment ago may not have its leader yet."""
    until = monotonic() + 10
    while True:
        try:
            return consumer.get_watermark_offsets(partition, timeout=10)[1]
        except KafkaException:
            if monotonic() > until:
                raise
            sleep(0.1)


def _event_id(message: Message) -> str:
    if (error := message.error()) is not None:
        raise RuntimeError(error.str())
    return (message.value() or b"")[EVENT_ID].decode()


if __name__ == "__main__":
    servers, isolation, events, begin, *topics = sys.argv[1:]
    result = watch(
        servers, "read_committed" if isolation == "read_committed" else "read_uncommitted", int(events), begin, topics
    )
    sys.stdout.write(json.dumps(result))
