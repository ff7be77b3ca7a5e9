"""Two of a kind at once, and partners who answer late, twice or never."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

import pytest

from tests.faults.ordeal import Ordeal, Record
from tests.running import Up, command, environment

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

WITHIN_SECONDS = 120.0
LEASE_SECONDS = 5.0
TROUBLE = ("tok_lost_answer", "tok_timeout", "tok_flaky", "tok_slow", "tok_visa")


@contextmanager
def another(role: str, up: Up) -> Iterator[None]:
    """One more process of a role, killed in the end."""
    folder = up.ready_file.parent
    told = {
        "ORDERFLOW_POSTGRES_DSN": up.ready.postgres_dsn,
        "ORDERFLOW_REDIS_URL": up.ready.redis_url,
        "ORDERFLOW_KAFKA_SERVERS": str(up.ready.kafka_servers),
        "ORDERFLOW_RABBITMQ_URL": str(up.ready.rabbitmq_url),
    }
    with (folder / f"another-{role}.log").open("a") as out:
        process = subprocess.Popen(command("run", role), stdout=out, stderr=out, env={**environment(folder), **told})
    try:
        yield
    finally:
        assert process.poll() is None, f"the other {role} ended by itself"
        process.kill()
        process.wait()


def two_relays_and_the_first_falls_asleep(up: Up) -> float:
    """The other takes over, and when the first wakes up it must not publish what it had in hand."""
    with another("relay", up):
        sleep(4)
        pid = up.kill("relay", signal.SIGSTOP)
        sleep(LEASE_SECONDS + 3)
        os.kill(pid, signal.SIGCONT)
        sleep(3)
    return monotonic()


def workers_come_and_go(up: Up) -> float:
    for _ in range(3):
        with another("projector", up), another("processes", up):
            sleep(4)
    return monotonic()


def test_two_relays(ordeal: Ordeal, record_property: Record) -> None:
    ordeal.survive(two_relays_and_the_first_falls_asleep, within=WITHIN_SECONDS, record=record_property)


def test_rebalances_and_an_acquirer_in_trouble(
    ordeal: Ordeal, record_property: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers late, never, with an error, and what it has done is asked for again."""
    monkeypatch.setattr(ordeal.crowd, "cards", TROUBLE)
    ordeal.survive(workers_come_and_go, within=WITHIN_SECONDS, record=record_property)
