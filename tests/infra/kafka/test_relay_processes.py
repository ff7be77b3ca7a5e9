"""Relays that are stopped, killed and cut off from Kafka: real processes, and nothing lost or repeated."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest
from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from infra.local.cluster_servers import ClusterServers
from tests.infra.kafka.relaying import Place, a_place, an_order, assert_published
from tests.running import command, environment, until

TAKE_OVER_SECONDS = 15.0
"""The lease's 5 s, and what a busy machine adds."""

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]


@contextmanager
def a_relay(place: Place, folder: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `orderflow run relay`; ready when this returns."""
    settings, ready = place.settings, folder / name
    known = {
        **environment(folder),
        "ORDERFLOW_POSTGRES_DSN": place.dsn,
        "ORDERFLOW_REDIS_URL": settings.redis_url.get_secret_value(),
        "ORDERFLOW_KAFKA_SERVERS": settings.kafka_servers,
        "ORDERFLOW_TOPIC_PREFIX": settings.topic_prefix,
    }
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command("run", "relay", "--ready-file", ready), env=known, stdout=log, stderr=log)
    try:
        until(lambda: ready.exists() or None, 60)
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(30)


def leader(place: Place) -> int:
    """Give the process that holds the lease."""
    rows = until(lambda: place.query("SELECT owner FROM relay_positions") or None)
    return int(str(rows[0][0]).split(":")[1])


def published(place: Place, position: int, seconds: float = 60.0) -> None:
    query = f"SELECT 1 FROM relay_positions WHERE position >= {position}"  # noqa: S608 - a number
    until(lambda: place.query(query) or None, seconds)


def append(place: Place, orders: int) -> int:
    return place.append(row for _ in range(orders) for row in an_order())[-1].position


@pytest.fixture
def place(database: str, redis_url: str, kafka_servers: str) -> Place:
    return a_place(database, redis_url, kafka_servers)


def test_a_standby_takes_over_from_a_relay_that_is_killed(place: Place, tmp_path: Path) -> None:
    with a_relay(place, tmp_path, "one"), a_relay(place, tmp_path, "other"):
        published(place, append(place, 50))
        append(place, 500)
        os.kill(leader(place), signal.SIGKILL)
        began_at = monotonic()
        published(place, append(place, 50), TAKE_OVER_SECONDS + 15)
        assert monotonic() - began_at < TAKE_OVER_SECONDS
    assert_published(place)


def test_a_relay_that_wakes_up_too_late_publishes_nothing(place: Place, tmp_path: Path) -> None:
    with a_relay(place, tmp_path, "one") as one, a_relay(place, tmp_path, "other") as other:
        published(place, append(place, 50))
        paused = leader(place)
        until(lambda: stopped_amid_a_transaction(place, paused), 60, pause=0)
        published(place, append(place, 50))
        assert leader(place) == ({one.pid, other.pid} - {paused}).pop()
        os.kill(paused, signal.SIGCONT)
        for _ in range(5):
            published(place, append(place, 20))
        assert leader(place) != paused
        assert one.poll() is None
        assert other.poll() is None
    assert_published(place)


def stopped_amid_a_transaction(place: Place, pid: int) -> bool | None:
    """Let a relay have something to do, and stop it when records of its are there that it has not committed."""
    head = append(place, 1_000)
    while not is_open(place):
        if place.query(f"SELECT 1 FROM relay_positions WHERE position >= {head}"):  # noqa: S608 - a number
            return None
    os.kill(pid, signal.SIGSTOP)
    if is_open(place):
        return True
    os.kill(pid, signal.SIGCONT)
    return None


def is_open(place: Place) -> bool:
    """Whether the topic ends later than what is decided about."""
    admin = AdminClient({"bootstrap.servers": place.settings.kafka_servers})
    ends = {}
    for isolation in IsolationLevel:
        asked = {
            TopicPartition(place.topic("order"), number): OffsetSpec.latest()  # type: ignore[no-untyped-call]
            for number in range(place.settings.topic_partitions)
        }
        told = admin.list_offsets(asked, isolation_level=isolation)
        ends[isolation] = [told[at].result().offset for at in sorted(told, key=lambda each: each.partition)]
    return ends[IsolationLevel.READ_COMMITTED] < ends[IsolationLevel.READ_UNCOMMITTED]


@pytest.fixture
def own_kafka() -> Iterator[ClusterServers]:
    with tempfile.TemporaryDirectory(prefix="orderflow-test-") as folder:
        Path(folder).chmod(0o755)
        with ClusterServers(Path(folder), names=["Kafka"], kafka_heap="256m") as running:
            yield running


def test_a_broker_that_dies_and_comes_back_costs_nothing(
    database: str, redis_url: str, own_kafka: ClusterServers, tmp_path: Path
) -> None:
    place = a_place(database, redis_url, own_kafka.kafka_servers)
    with a_relay(place, tmp_path, "one") as relay:
        published(place, append(place, 50))
        append(place, 2_000)
        own_kafka.restart("Kafka")
        published(place, append(place, 50), 90)
        assert relay.poll() is None
    assert_published(place)
