import subprocess
import sys

import pytest

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
