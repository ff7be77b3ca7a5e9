"""`kill -9` between a request and its visible result loses no acknowledged order and doubles nothing."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from time import sleep
from typing import Final

import httpx
import psutil
import pytest

from infra.local.ready import Ready
from tests.acceptance.driver import Shop
from tests.faults.checker import assert_kept
from tests.faults.draining import Drain
from tests.faults.gathering import gather
from tests.faults.history import History
from tests.faults.load import Crowd
from tests.faults.platform import Platform
from tests.running import Up, start, until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

SEED: Final = int(os.environ.get("ORDERFLOW_TEST_SEED", "20261"))
PATIENT: Final = {"ORDERFLOW_STOCK_DEADLINE": "600", "ORDERFLOW_PAYMENT_DEADLINE": "600"}
"""The time that a killed platform needs to come back must not count as the customer's patience."""
BACK_SECONDS: Final = 60.0
"""A command under way when the process was killed waits for its lease, and one that failed for its next turn."""
MAILS_AT_ONCE: Final = 8
Moment = Callable[[Ready, Crowd], None]


def after_an_acknowledgement(ready: Ready, crowd: Crowd) -> None:
    """Nothing but the log knows of the order yet."""
    del ready
    assert crowd.acknowledged.wait(20)


def after_a_charge(ready: Ready, crowd: Crowd) -> None:
    """The acquirer has decided, and the platform may not know it."""
    _when_more(crowd, lambda http: len(http.get(f"{ready.acquirer_url}/ledger").json()["entries"]))


def after_a_mail(ready: Ready, crowd: Crowd) -> None:
    """The mail is out, and the platform may not have noted it."""
    _when_more(crowd, lambda http: _newest_mail(http, ready))


def at_random(ready: Ready, crowd: Crowd) -> None:
    del ready
    sleep(Random(f"{crowd.seed}/{len(crowd.sent)}").uniform(0.02, 1.5))


def _when_more(crowd: Crowd, count: Callable[[httpx.Client], int]) -> None:
    with httpx.Client() as http:
        before = count(http)
        assert crowd.acknowledged.wait(20)
        until(lambda: count(http) > before or None, 20, pause=0.002)


def _newest_mail(http: httpx.Client, ready: Ready) -> int:
    mails = http.get(f"{ready.mail_url}/messages").json()["messages"]
    return max((int(mail["mail_id"]) for mail in mails), default=0)


MOMENTS: Final[tuple[Moment, ...]] = (
    after_an_acknowledgement,
    at_random,
    after_a_charge,
    at_random,
    after_a_mail,
    at_random,
    at_random,
    at_random,
)


def kill(up: Up) -> None:
    """Kill the platform; its servers must end by themselves."""
    servers = psutil.Process(up.process.pid).children(recursive=True)
    os.kill(up.process.pid, signal.SIGKILL)
    up.process.wait()
    assert psutil.wait_procs(servers, timeout=30)[1] == [], "a process was left behind"


@pytest.fixture
def platforms(tmp_path: Path) -> Iterator[Callable[[], Up]]:
    """Starts the platform again on the same data, however it ended before."""
    started: list[Up] = []

    def again() -> Up:
        started.append(start(tmp_path, settings=PATIENT))
        return started[-1]

    yield again
    for up in started:
        if up.process.poll() is None:
            up.process.kill()
            up.process.wait()


def test_no_kill_breaks_a_promise(platforms: Callable[[], Up], tmp_path: Path) -> None:
    crowd = Crowd(History(tmp_path / "history.jsonl"), SEED)
    for number, moment in enumerate(MOMENTS):
        up = platforms()
        crowd.sku = crowd.sku or _product(up.ready)
        crowd.ask_again(up.ready, also=5)
        with crowd.at_work(up.ready, f"round-{number}"):
            moment(up.ready, crowd)
            kill(up)
    up = platforms()
    crowd.ask_again(up.ready, also=100)
    platform = Platform(up.ready)
    recovery = Drain(platform).until_at_rest(BACK_SECONDS)
    assert_kept(gather(platform, crowd.history, recovery=recovery, resends=MAILS_AT_ONCE * len(MOMENTS)))
    assert up.stop() == 0


def _product(ready: Ready) -> str:
    with httpx.Client(timeout=20) as http:
        return Shop(http, ready, ready.tenant_id).product(stock=100_000)
