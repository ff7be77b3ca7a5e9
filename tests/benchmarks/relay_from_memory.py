"""The relay's producer without the log: `python -m tests.benchmarks.relay_from_memory KAFKA PREFIX EVENTS`.

Publishes so many events that it holds in memory, as often committed as by the relay, once it is told to on its input.
"""

import sys
from threading import Event
from time import monotonic

from infra.kafka.producer import Record, TransactionalProducer
from infra.kafka.records import headers_of, key_of
from infra.kafka.topics import create_missing, topics_of
from infra.settings import Settings
from tests.benchmarks.stored_log import lives

PAGE = 4_000
"""As many as the relay reads at once."""
COMMIT_SECONDS = 0.1


def main(kafka: str, prefix: str, events: int) -> None:
    settings = Settings(profile="cluster", kafka_servers=kafka, topic_prefix=prefix)
    create_missing(settings)
    topics = topics_of(settings)
    records = [
        Record(topics[stored.category], stored.state, key_of(stored), headers_of(stored)) for stored in lives(events)
    ]
    producer = TransactionalProducer(settings, f"{prefix}.memory", most_bytes=1_000_000, give_up=Event())
    producer.open()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    commit_at = monotonic() + COMMIT_SECONDS
    for start in range(0, len(records), PAGE):
        producer.send(records[start : start + PAGE])
        if monotonic() >= commit_at:
            commit_at = monotonic() + COMMIT_SECONDS
            producer.commit()
    producer.commit()
    producer.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
