"""`kill -9` between a request and its visible result loses no acknowledged order and doubles nothing."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from time import sleep
from typing import Final
from uuid import UUID

import httpx
import psutil
import pytest

from infra.client import Json
from infra.local.ready import Ready
from schemas.events.order import OrderPlaced
from schemas.ids import payment_id
from tests.acceptance.driver import Shop
from tests.faults.inspection import broken_streams, database, differing_tables, whole_log
from tests.faults.load import Memory, address, ask_again, ordering, until_decided
from tests.running import Up, start, until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900), pytest.mark.xdist_group("faults")]

SEED: Final = int(os.environ.get("ORDERFLOW_TEST_SEED", "20261"))
PATIENT: Final = {"ORDERFLOW_STOCK_DEADLINE": "600", "ORDERFLOW_PAYMENT_DEADLINE": "600"}
"""The time that a killed platform needs to come back must not count as the customer's patience."""
Moment = Callable[[Ready, Memory], None]


def after_an_acknowledgement(ready: Ready, memory: Memory) -> None:
    """Nothing but the log knows of the order yet."""
    del ready
    assert memory.acknowledged.wait(20)


def after_a_charge(ready: Ready, memory: Memory) -> None:
    """The acquirer has decided, and the platform may not know it."""
    _when_more(memory, lambda http: len(http.get(f"{ready.acquirer_url}/ledger").json()["entries"]))


def after_a_mail(ready: Ready, memory: Memory) -> None:
    """The mail is out, and the platform may not have noted it."""
    _when_more(memory, lambda http: _newest_mail(http, ready))


def at_random(ready: Ready, memory: Memory) -> None:
    del ready
    sleep(memory.random.uniform(0.02, 1.5))


def _when_more(memory: Memory, count: Callable[[httpx.Client], int]) -> None:
    with httpx.Client() as http:
        before = count(http)
        assert memory.acknowledged.wait(20)
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


async def test_no_kill_loses_or_doubles_an_acknowledged_order(platforms: Callable[[], Up], tmp_path: Path) -> None:
    memory = Memory(Random(SEED))
    for number, moment in enumerate(MOMENTS):
        up = platforms()
        memory.sku = memory.sku or _product(up.ready)
        ask_again(up.ready, memory, also=5)
        with ordering(up.ready, memory, f"round-{number}"):
            moment(up.ready, memory)
            kill(up)
    up = platforms()
    ask_again(up.ready, memory, also=100)
    placed = {UUID(_json(answer)["order_id"]) for answer in memory.answers.values()}
    assert len(placed) == len(memory.answers)

    with httpx.Client(timeout=20) as http:
        shop = Shop(http, up.ready, up.ready.tenant_id)
        statuses = until_decided(shop, len(placed))
        assert set(statuses) == set(map(str, placed)), "more orders are visible than were acknowledged"
        assert set(statuses.values()) == {"confirmed", "cancelled"}
        assert _cancel_reasons(shop, statuses) <= {"payment_declined"}
        until(lambda: all(len(_mails(http, up.ready, key)) == 1 for key in memory.answers) or None, 60)
        assert _decisions(http, up.ready) == {str(payment_id(order_id)): 1 for order_id in placed}
        confirmed = sum(status == "confirmed" for status in statuses.values())
        until(lambda: shop.stock(memory.sku)[1] == confirmed or None)
        until(lambda: _by_status(shop) == Counter(statuses.values()) or None)
    assert up.stop() == 0

    with database(tmp_path / "data") as dsn:
        log = whole_log(dsn)
        in_log = Counter(stored.stream_id for stored in log if isinstance(stored.recorded.event, OrderPlaced))
        assert in_log == dict.fromkeys(placed, 1)
        assert broken_streams(log) == []
        assert await differing_tables(dsn, log) == []


def _product(ready: Ready) -> str:
    with httpx.Client(timeout=20) as http:
        return Shop(http, ready, ready.tenant_id).product(stock=100_000)


def _json(answer: bytes) -> Json:
    return dict(httpx.Response(200, content=answer).json())


def _cancel_reasons(shop: Shop, statuses: dict[str, str]) -> set[str]:
    cancelled = (order_id for order_id, status in statuses.items() if status == "cancelled")
    return {shop.staff.get(f"/v1/orders/{order_id}")["cancel_reason"] for order_id in cancelled}


def _mails(http: httpx.Client, ready: Ready, key: str) -> list[Json]:
    found: list[Json] = http.get(f"{ready.mail_url}/messages", params={"to": address(key)}).json()["messages"]
    return found


def _decisions(http: httpx.Client, ready: Ready) -> Counter[str]:
    """How often the acquirer decided about each payment."""
    entries = http.get(f"{ready.acquirer_url}/ledger").json()["entries"]
    return Counter(entry["payment_id"] for entry in entries if entry["kind"] == "authorise")


def _by_status(shop: Shop) -> dict[str, int]:
    figures = shop.staff.get("/v1/dashboard")["orders_by_status"]
    return {status: count for status, count in figures.items() if count}
