import logging
import subprocess
import sys

import pytest

from infra.logs import Seldom

FAILING = """
import logging
from infra.logs import configure_logs

configure_logs(as_json={as_json})
try:
    private = "ana@mail" + ".example"
    raise ValueError("told")
except ValueError:
    logging.getLogger("x").exception("failed")
"""


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_does_not_tell_what_variables_held(*, as_json: bool) -> None:
    program = [sys.executable, "-c", FAILING.format(as_json=as_json)]
    told = subprocess.run(program, capture_output=True, text=True, check=True).stderr
    assert "ValueError: told" in told
    assert "ana@mail.example" not in told


@pytest.mark.parametrize(("library", "passed"), [("aiokafka.conn", 1), ("librdkafka", 1), ("infra.kafka.relay", 3)])
def test_a_library_that_repeats_itself_is_told_once(library: str, passed: int) -> None:
    seldom = Seldom()
    lines = [logging.makeLogRecord({"name": library, "msg": "%s: away", "args": ("FAIL", n)}) for n in range(3)]
    assert sum(seldom.filter(line) for line in lines) == passed


def test_lines_of_another_kind_and_later_ones_are_told() -> None:
    seldom = Seldom()
    told = [
        {"args": ("FAIL", 1), "created": 0.0},
        {"args": ("ERROR", 1), "created": 1.0},
        {"args": ("FAIL", 2), "created": 11.0},
    ]
    lines = [logging.makeLogRecord({"name": "librdkafka", "msg": "[%s] %s", **each}) for each in told]
    assert all(seldom.filter(line) for line in lines)
