"""One process of the cluster profile: started, started again when it ends, stopped in the end."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Final

from pydantic import ValidationError

from infra.local.child import LOG_BYTES_KEPT
from infra.local.failures import PartFailed
from infra.process import ReadyRole
from infra.runtime import NotStarted

FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 5.0
STEADY_SECONDS: Final = 30.0
"""Who ran that long is started again at once."""
_LOOK_SECONDS: Final = 0.05
_TAIL_BYTES: Final = 8_000
_LAUNCH: Final = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the processes of one platform share."""

    folder: Path
    """Holds logs/ROLE.log and roles/ROLE.json."""
    environment: Mapping[str, str]
    verbose: bool
    notice: Callable[[str], None]
    """Told in a sentence when a process is started again."""
    changed: Callable[[], None]
    """Called when a process was started or has ended."""


class Supervised:
    """Call it in the main thread: the kernel ends a child with the thread that started it."""

    def __init__(self, name: str, surroundings: Surroundings) -> None:
        self.name = name
        self.starts = 0
        self.started_at: datetime | None = None
        self.log = surroundings.folder / "logs" / f"{name}.log"
        self._around = surroundings
        self._ready_file = surroundings.folder / "roles" / f"{name}.json"
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = asyncio.Event()
        self._was_ready = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Of the process that runs now, ready or not."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def restarts(self) -> int:
        return max(0, self.starts - 1)

    async def first_ready(self) -> None:
        """Return when it has been ready once."""
        await self._was_ready.wait()

    async def keep(self) -> None:
        """Run until stopped; raises PartFailed when it ends by itself before it has been ready once."""
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            began_at = monotonic()
            process = self._start()
            code = await self._ended(process)
            self._around.changed()
            if self._stopping.is_set():
                return
            if not self._was_ready.is_set() and code > 0:
                raise PartFailed(f"{self.name} could not start") from NotStarted(last_sentence(self.log))
            if monotonic() - began_at >= STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            self._around.notice(f"{self.name} {_how(code)} and is started again; {self.log} may say why.")
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def stop(self, seconds: float) -> None:
        """Ask it to end, and after `seconds` end it."""
        self._stopping.set()
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
        until = monotonic() + seconds
        while process.poll() is None:
            if monotonic() > until:
                process.kill()
            await asyncio.sleep(_LOOK_SECONDS)
        self._ready_file.unlink(missing_ok=True)

    def _start(self) -> subprocess.Popen[bytes]:
        for folder in (self.log.parent, self._ready_file.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._ready_file.unlink(missing_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES_KEPT:
            self.log.replace(self.log.with_suffix(".log.1"))
        numbers = (os.getpid(), int(signal.SIGKILL), os.getuid(), os.getgid())
        launch = [sys.executable, "-I", "-S", str(_LAUNCH), *map(str, numbers), "plain"]
        command = [sys.executable, "-m", "infra.cli", "run", self.name, "--ready-file", str(self._ready_file)]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [*launch, *command, "--log-json", *(["--verbose"] if self._around.verbose else [])],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._around.environment,
            )
        self.starts += 1
        self.started_at = datetime.now(UTC)
        self._around.changed()
        return self._process

    async def _ended(self, process: subprocess.Popen[bytes]) -> int:
        is_ready = False
        while (code := process.poll()) is None:
            if not is_ready and self._says_ready(process.pid):
                is_ready = True
                self._was_ready.set()
            await asyncio.sleep(_LOOK_SECONDS)
        return code

    def _says_ready(self, pid: int) -> bool:
        try:
            return ReadyRole.model_validate_json(self._ready_file.read_bytes()).pid == pid
        except (OSError, ValidationError):
            return False


def last_sentence(log: Path) -> str:
    """Give what a process wrote last."""
    with log.open("rb") as lines:
        lines.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        written = lines.read().decode(errors="replace").strip().splitlines()
    last = written[-1] if written else "it wrote nothing"
    try:
        return str(json.loads(last)["event"])
    except (ValueError, TypeError, KeyError):
        return f"{last}. See {log}."


def _how(code: int) -> str:
    return f"was ended by signal {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
