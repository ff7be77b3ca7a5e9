"""Runs `orderflow up` as its users do: a process of its own, known only by what it prints and writes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import TypeVar

from infra.local.ready import Ready

READY_SECONDS = 240.0
STOP_SECONDS = 30.0
FREE_PORTS = tuple(
    part
    for name in ("write", "query", "write-grpc", "query-grpc", "mail", "acquirer", "smtp")
    for part in (f"--{name}-port", "0")
)

T = TypeVar("T")


def until(look: Callable[[], T | None], seconds: float = 30.0, pause: float = 0.05) -> T:
    """Look until there is something; fails after `seconds`."""
    end = monotonic() + seconds
    while True:
        found = look()
        if found is not None:
            return found
        assert monotonic() < end, f"nothing was seen within {seconds} seconds"
        sleep(pause)


@dataclass(frozen=True, slots=True)
class Up:
    """A started `orderflow up` of which the ready file has been read."""

    process: subprocess.Popen[str]
    ready: Ready
    ready_file: Path

    def now(self) -> Ready:
        """Give what the ready file says by now: process ids change when the cluster's supervisor starts one again."""
        return Ready.model_validate_json(self.ready_file.read_bytes())

    def pid_of(self, role: str, *, other_than: int | None = None) -> int:
        """Give the process of a role of the cluster; waits while it is being started again."""

        def pid() -> int | None:
            found = self.now().services.get(role)
            return None if found == other_than else found

        return until(pid)

    def kill(self, role: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a role of the cluster; gives the process that got it."""
        pid = self.pid_of(role)
        os.kill(pid, number)
        return pid

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "infra.cli", *map(str, arguments)]


def environment(folder: Path) -> dict[str, str]:
    """Nothing of this process' settings, and a place of its own for word of running platforms."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORDERFLOW_")}
    return {**kept, "ORDERFLOW_RUN_DIR": str(folder / "run"), "COLUMNS": "160"}


def start(folder: Path, *options: str | Path, cluster: bool = False, settings: Mapping[str, str] | None = None) -> Up:
    """Start a platform on free ports that keeps its data in `folder`; returns when it is ready."""
    ready_file = folder / "ready.json"
    ready_file.unlink(missing_ok=True)
    arguments: tuple[str | Path, ...] = (
        "up",
        "--data",
        folder / "data",
        "--ready-file",
        ready_file,
        *FREE_PORTS,
        *options,
    )
    arguments += ("--cluster",) if cluster else ()
    with (folder / "output").open("a") as out:
        process = subprocess.Popen(
            command(*arguments),
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            env={**environment(folder), **(settings or {})},
        )

    def ready() -> Ready | None:
        assert process.poll() is None, (folder / "output").read_text()
        return Ready.model_validate(json.loads(ready_file.read_text())) if ready_file.exists() else None

    return Up(process, until(ready, READY_SECONDS), ready_file)


@contextmanager
def running(
    folder: Path, *options: str | Path, cluster: bool = False, settings: Mapping[str, str] | None = None
) -> Iterator[Up]:
    """A platform that is stopped at the end, and killed should it not stop."""
    up = start(folder, *options, cluster=cluster, settings=settings)
    try:
        yield up
    finally:
        if up.process.poll() is None:
            up.process.terminate()
            try:
                up.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                up.process.kill()
                up.process.wait()
                raise
