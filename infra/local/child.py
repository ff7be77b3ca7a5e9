"""A server process that we own: started as an ordinary user, watched, stopped, never left behind."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

START_SECONDS = 120.0
STOP_SECONDS = 30.0
ASK_SECONDS = 1.0
POLL_SECONDS = 0.01
LOG_BYTES_KEPT = 10_000_000
LOG_TAIL_BYTES = 3_000


class ServerFailed(Exception):  # noqa: N818 - says what happened, as every failure here does
    """Says what happened, what to do next and what the server itself wrote last."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who a server runs as: PostgreSQL refuses root, so root lends it to an ordinary user."""

    uid: int
    gid: int

    def own(self, folder: Path) -> None:
        """Makes the folder if it is missing; only this account may enter it."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (os.getuid(), self.uid):
            raise ServerFailed(f"{folder} belongs to somebody else. Name another folder with --data.")
        if status.st_uid != self.uid:
            os.chown(folder, self.uid, self.gid)


def account_for(folder: Path) -> Account:
    """The owner of what is already there, else this user, else an existing user without rights."""
    us = Account(os.getuid(), os.getgid())
    owner = Account(folder.stat().st_uid, folder.stat().st_gid) if folder.exists() else us
    if us.uid == 0:
        return owner if owner.uid != 0 else _account_without_rights()
    if owner != us and owner.uid != us.uid:
        raise ServerFailed(
            f"{folder} belongs to user {owner.uid}. Run as that user, or name another folder with --data."
        )
    try:
        pwd.getpwuid(us.uid)
    except KeyError:
        raise ServerFailed(
            f"User {us.uid} is not in /etc/passwd, and PostgreSQL needs it there. Add it first."
        ) from None
    return us


def _account_without_rights() -> Account:
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise ServerFailed("PostgreSQL refuses to run as root, and there is no user `nobody`. Run as a user.") from None
    return Account(nobody.pw_uid, nobody.pw_gid)


@dataclass(frozen=True, slots=True)
class Launcher:
    account: Account
    held_fds: tuple[int, ...]
    """Inherited by every server, so that their locks say whether one still runs."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    cwd: Path = Path("/")

    def spawn(
        self, command: list[str], log: Path, death_signal: signal.Signals, *reached: Path
    ) -> subprocess.Popen[bytes]:
        """`reached` are the folders that the server must be able to enter, besides its own program."""
        if log.exists() and log.stat().st_size > LOG_BYTES_KEPT:
            log.replace(log.with_suffix(".log.1"))
        reach = self.account.uid != os.getuid() and not all(map(_open_to_all, (Path(command[0]), *reached)))
        numbers = map(str, (os.getpid(), int(death_signal), self.account.uid, self.account.gid))
        launch = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py"))]
        with log.open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - our own program and the wheel's
                [*launch, *numbers, "reach" if reach else "plain", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.cwd,
                env={"LC_ALL": "C", "PATH": os.defpath, "TZ": "UTC", **self.environment},
                pass_fds=self.held_fds,
            )


def _open_to_all(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents)[1:])


@dataclass(frozen=True, slots=True)
class Child:
    name: str
    process: subprocess.Popen[bytes]
    log: Path
    is_ready: Callable[[], bool]
    stop_signal: signal.Signals

    def wait_ready(self) -> None:
        for _ in _moments(START_SECONDS):
            if self.is_ready():
                return
            self.check_running()
        raise ServerFailed(explain(f"{self.name} did not become ready in {START_SECONDS:.0f} seconds", self.log))

    def check_running(self) -> None:
        code = self.process.poll()
        if code is not None:
            raise ServerFailed(explain(f"{self.name} ended by itself with code {code}", self.log))

    def ask_to_stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)

    def wait_stopped(self) -> None:
        """Asks again from time to time: what is not quite a server yet may have missed it."""
        until = time.monotonic() + STOP_SECONDS
        while time.monotonic() < until:
            try:
                self.process.wait(ASK_SECONDS)
            except subprocess.TimeoutExpired:
                self.ask_to_stop()
            else:
                return
        self.process.kill()
        self.process.wait()


class HeldServers(ABC):
    """Servers that end with whoever started them; the kernel ties a child to the thread that started it."""

    def start(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            raise ServerFailed("Start the servers in the main thread, because they end with the thread they are from.")
        try:
            self._start()
        except PermissionError as error:
            self.stop()
            raise ServerFailed(f"{error}. Run as the owner of that folder, or name another one with --data.") from error
        except BaseException:
            self.stop()
            raise
        return self

    @abstractmethod
    def stop(self) -> None:
        """Stops what runs; once more does nothing."""

    @abstractmethod
    def _start(self) -> None: ...

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def explain(happened: str, log: Path) -> str:
    try:
        with log.open("rb") as lines:
            lines.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
            tail = lines.read().decode(errors="replace").strip()
    except OSError:
        tail = ""
    return f"{happened}. The end of {log} says why; put that right and start again:\n{tail or '(nothing written)'}"


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    return any(condition() for _ in _moments(seconds))


def _moments(seconds: float) -> Iterator[None]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield
        time.sleep(POLL_SECONDS)


def inside_wheel(package: str) -> Path:
    """Where an installed package is, without importing it and all that it imports."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ServerFailed(f"The package {package} is not installed. Run `make venv`.")
    return Path(spec.origin).parent


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
