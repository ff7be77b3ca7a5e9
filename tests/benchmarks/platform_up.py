"""A running platform to measure, started as a user starts it."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

READY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Up:
    write_url: str
    query_url: str
    mail_url: str
    token: str
    pid: int


@contextmanager
def up() -> Iterator[Up]:
    """Run `orderflow up` with an empty data folder until the block ends."""
    with tempfile.TemporaryDirectory(prefix="orderflow-bench-") as folder:
        ready = Path(folder, "ready.json")
        command = [sys.executable, "-m", "infra.cli", "up", "--ready-file", str(ready)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            deadline = monotonic() + READY_SECONDS
            while not ready.exists():
                if process.poll() is not None or monotonic() > deadline:
                    raise RuntimeError("the platform did not start; run `orderflow up` to see why")
                sleep(0.05)
            said = json.loads(ready.read_text())
            yield Up(said["write_url"], said["query_url"], said["mail_url"], said["token"], said["pid"])
        finally:
            process.terminate()
            process.wait(30)
