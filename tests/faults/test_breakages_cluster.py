"""A real cluster with a bug that others have had: it is found by its promise's number."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest

from tests.acceptance.driver import Shop
from tests.faults.breakage import BREAKAGES, Breakage, copied
from tests.faults.checker import check
from tests.faults.conftest import PATIENT, SEED
from tests.faults.draining import Drain
from tests.faults.finding import report
from tests.faults.gathering import gather
from tests.faults.history import History
from tests.faults.load import Crowd
from tests.faults.platform import Platform
from tests.running import Up, running

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300), pytest.mark.xdist_group("cluster-breakages")]

WORK_SECONDS = 2.0
LOST_SECONDS = 4.0
"""Who waits that long, while nothing else moves, waits in vain."""
REST_SECONDS = 90.0
PATCHES = sorted((BREAKAGES / "cluster").glob("*.patch"))


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[Up]:
    """A cluster with all of the bugs, each of which breaks another promise."""
    tree = copied(tmp_path / "tree")
    for patch in PATCHES:
        Breakage.read(patch).apply(tree)
    with tempfile.TemporaryDirectory(prefix="orderflow-broken-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        code = {"PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}
        with running(folder, cluster=True, settings={**PATIENT, **code}) as up:
            yield up


def test_a_broken_cluster_is_found(broken: Up, tmp_path: Path) -> None:
    platform = Platform(broken.ready)
    crowd = Crowd(History(tmp_path / "history.jsonl"), SEED, rate=10.0)
    with httpx.Client(timeout=20) as http:
        crowd.sku = Shop(http, broken.ready, broken.ready.tenant_id).product(stock=100_000)
    with crowd.at_work(broken.ready, "work"):
        sleep(WORK_SECONDS)
        broken.pid_of("relay", other_than=broken.kill("relay"))
        sleep(WORK_SECONDS)
    crowd.ask_again(broken.ready)
    until_nothing_moves(Drain(platform))
    findings = check(gather(platform, crowd.history))
    wanted = {Breakage.read(patch).promise for patch in PATCHES}
    assert wanted <= {finding.promise for finding in findings}, report(findings)
    assert "a topic holds an event twice" in {finding.what for finding in findings}, report(findings)


def until_nothing_moves(drain: Drain) -> None:
    """Wait until only processes and mails are behind, and stay so: a view that is late would be found as well."""
    end, since, last = monotonic() + REST_SECONDS, monotonic(), drain.behind()
    while monotonic() < since + LOST_SECONDS:
        assert monotonic() < end, last
        sleep(0.5)
        behind = drain.behind()
        if behind != last or not all(each.endswith((" processes", " mails")) for each in behind):
            since, last = monotonic(), behind
