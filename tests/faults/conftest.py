"""One cluster for all of its faults, and a summary of how long it took to recover from each."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.history import History
from tests.faults.load import Crowd
from tests.faults.ordeal import Ordeal
from tests.running import running

SEED = int(os.environ.get("ORDERFLOW_TEST_SEED", "20262"))
PATIENT = {"ORDERFLOW_STOCK_DEADLINE": "600", "ORDERFLOW_PAYMENT_DEADLINE": "600"}
"""The time that a fault takes must not count as the customer's patience."""


@pytest.fixture(scope="session")
def ordeal() -> Iterator[Ordeal]:
    with tempfile.TemporaryDirectory(prefix="orderflow-faults-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with running(folder, cluster=True, settings=PATIENT) as up:
            yield Ordeal.of(up, Crowd(History(folder / "history.jsonl"), SEED, rate=20.0))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print seconds until nothing was behind, per fault; ORDERFLOW_RECOVERY_FILE gets them as JSON."""
    seconds = {
        report.nodeid.rpartition("::")[2].partition("@")[0]: dict(report.user_properties)["recovery"]
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and "recovery" in dict(report.user_properties)
    }
    if not seconds:
        return
    terminalreporter.section(
        "recovery: seconds from a kill, or from the end of another fault, until nothing was behind"
    )
    for name, spent in seconds.items():
        terminalreporter.write_line(f"{spent:>7}  {name}")
    if file := os.environ.get("ORDERFLOW_RECOVERY_FILE"):
        Path(file).write_text(json.dumps(seconds, indent=2) + "\n")
