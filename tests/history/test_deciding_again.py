"""`orderflow replay --decide` decides a whole log again, and tells of the part that was asked about."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.event_log import Stored
from schemas.recorded import decode
from tests.projections.conftest import write_log
from tests.running import command, environment
from tests.schemas.corpus import GOLDEN

A_DAY = GOLDEN / "a-day-of-orders.v1-v2.jsonl"
LINES = A_DAY.read_bytes().splitlines()
TENANT = decode(LINES[0]).tenant_id


def unasked(line: bytes) -> bytes:
    """A reservation of more than was there, which no rule would have granted."""
    event = json.loads(line)
    event["event"]["quantity"] = 1_000_000
    return json.dumps(event, separators=(",", ":")).encode()


AT = next(at for at, line in enumerate(LINES, 1) if decode(line).event.type == "stock.reserved.v1")
WRONG = [unasked(line) if at == AT else line for at, line in enumerate(LINES, 1)]


def decided(folder: Path, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("replay", "--decide", "--grace", "0", *options),
        env={**environment(folder), **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def told(done: subprocess.CompletedProcess[str]) -> set[Any]:
    assert "Traceback" not in done.stderr
    return {json.loads(line)["position"] for line in done.stdout.splitlines()}


def test_a_file_is_decided_as_it_was(tmp_path: Path) -> None:
    done = decided(tmp_path, "--file", str(A_DAY), "--table")
    assert (done.returncode, done.stdout) == (0, "Everything would be decided as it was.\n")


def test_only_the_tenants_part_of_a_file_is_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    file.write_bytes(b"\n".join(WRONG))
    assert AT in told(decided(tmp_path, "--file", str(file), "--tenant", TENANT))
    done = decided(tmp_path, "--file", str(file), "--tenant", "somebody-else")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.servers
def test_a_part_of_a_log_rests_on_all_that_was_before(database: str, tmp_path: Path) -> None:
    log = [decode(line) for line in WRONG]
    write_log(database, [Stored.of(position, each) for position, each in enumerate(log, 1)])
    part = {
        (): True,
        ("--from", str(AT)): True,
        ("--from", log[AT - 1].occurred_at.isoformat(), "--until", str(AT)): True,
        ("--until", str(AT - 1)): False,
        ("--from", str(AT + 1)): False,
        ("--tenant", "somebody-else"): False,
    }
    for options, found in part.items():
        done = decided(tmp_path, *options, ORDERFLOW_POSTGRES_DSN=database)
        assert (AT in told(done), done.returncode) == (found, int(bool(done.stdout))), (options, done.stderr)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--to", "audit"), "--decide fills no schema"),
        (("--file", "nowhere.jsonl"), "nowhere.jsonl cannot be read"),
        (("--file", str(A_DAY), "--until", "3"), "A file is decided as a whole"),
    ],
)
def test_bad_input_gets_one_clear_line(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    done = decided(tmp_path, *options)
    assert done.returncode != 0
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
