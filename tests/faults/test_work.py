"""A busy platform whose feeds repeat themselves, whose leases run out and whose Redis forgets keeps every promise."""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import httpx
import psycopg
import pytest
import redis

from tests.acceptance.driver import Shop
from tests.faults.checker import assert_kept
from tests.faults.draining import Drain
from tests.faults.gathering import gather
from tests.faults.history import History
from tests.faults.load import Crowd
from tests.faults.platform import Platform
from tests.running import running

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

WORK_SECONDS = 4.0
SHIPPED_SECONDS = 30.0
"""How much longer at most until something is shipped: only then a lost capture shows."""
WAITING_RATE = 8.0
"""Commands per second then, so that what is behind gets less meanwhile."""
LOOK_SECONDS, LOOKS = 0.05, 50
"""Together less than a statement waits for a lock."""
BACK_SECONDS = 15.0
MAILS_AT_ONCE = 8
_NOT_CAUGHT = """
SELECT (SELECT count(*) FROM subscription_positions) - count(*) FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND pg_backend_pid() = ANY (pg_blocking_pids(pid))
"""
_END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def begin_again(platform: Platform) -> None:
    """Make every subscription read the log from its beginning: all that it has applied comes again.

    The lock on the positions catches each of them in the middle of a batch. One that got away would write the position
    that it remembers.
    """
    with psycopg.connect(platform.dsn) as connection:
        connection.execute("UPDATE subscription_positions SET position = 0")
        for _ in range(LOOKS):
            (missed,) = connection.execute(_NOT_CAUGHT).fetchone() or (0,)
            if missed <= 0:
                break
            sleep(LOOK_SECONDS)
        connection.execute(_END_SESSIONS)


def let_leases_run_out(platform: Platform) -> None:
    """Hand out commands again while they are being handled, as after a pause of their worker."""
    with psycopg.connect(platform.dsn, autocommit=True) as connection:
        connection.execute("UPDATE outbox SET available_at = now() WHERE attempts > 0 AND last_error IS NULL")


def forget_figures(platform: Platform) -> None:
    with redis.Redis.from_url(platform.ready.redis_url) as client:
        client.flushall()


FAULTS: tuple[Callable[[Platform], None], ...] = (begin_again, forget_figures, let_leases_run_out, let_leases_run_out)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running(tmp_path_factory.mktemp("work")) as up:
        yield Platform(up.ready)


def test_a_busy_platform_keeps_every_promise(platform: Platform, tmp_path: Path) -> None:
    crowd = Crowd(History(tmp_path / "history.jsonl"), 7)
    with httpx.Client(timeout=20) as http:
        crowd.sku = Shop(http, platform.ready, platform.ready.tenant_id).product(stock=100_000)
    end = monotonic() + WORK_SECONDS
    with crowd.at_work(platform.ready, "work"):
        for fault in FAULTS:
            sleep(WORK_SECONDS / (len(FAULTS) + 1))
            fault(platform)
        sleep(max(0.0, end - monotonic()))
        crowd.rate = WAITING_RATE
        while not crowd.shipments and monotonic() < end + SHIPPED_SECONDS:
            sleep(LOOK_SECONDS)
    crowd.ask_again(platform.ready, also=20)
    recovery = Drain(platform).until_at_rest(BACK_SECONDS)
    resends = 2 * MAILS_AT_ONCE
    assert_kept(gather(platform, crowd.history, recovery=recovery, resends=resends))
    assert crowd.shipments, "nothing was shipped, so a lost capture could not have shown"
