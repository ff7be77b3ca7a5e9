"""A real PostgreSQL and a real Valkey as children of this process, for `orderflow up` and for tests."""

import asyncio
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from infra.local import postgres, valkey
from infra.local.child import STOP_SECONDS, Child, HeldServers, Launcher, ServerFailed, account_for, remove, wait_until

LONGEST_SOCKET_PATH = 100
WATCH_SECONDS = 0.25
OWNER_SECONDS = 2.0
"""A killed owner needs a moment to be gone."""


class LocalServers(HeldServers):
    """Both servers on Unix sockets only, and gone when this process is gone, however it ends.

    Start it in the main thread: the kernel ties a child to the thread that started it.
    """

    def __init__(self, data_dir: Path, *, postgres_settings: Mapping[str, str] | None = None) -> None:
        self._data_dir = data_dir.expanduser().absolute()
        self._postgres_settings = postgres_settings or {}
        self._sockets = socket_folder(self._data_dir)
        self._owner_lock: int | None = None
        self._children: list[Child] = []

    @property
    def postgres_dsn(self) -> str:
        return self.dsn_of("orderflow")

    @property
    def redis_url(self) -> str:
        return self.redis_url_of(0)

    def dsn_of(self, database: str) -> str:
        return f"postgresql://orderflow@/{quote(database)}?host={quote(str(self._sockets), safe='')}"

    def redis_url_of(self, number: int) -> str:
        return f"unix://{quote(str(self._sockets / valkey.SOCKET_NAME))}?db={number}"

    @property
    def pids(self) -> dict[str, int]:
        return {child.name: child.process.pid for child in self._children}

    def stop(self) -> None:
        for child in self._children:
            child.ask_to_stop()
        for child in self._children:
            child.wait_stopped()
        self._children.clear()
        if self._owner_lock is not None:
            remove(self._sockets)
            os.close(self._owner_lock)
            self._owner_lock = None

    async def watch(self) -> None:
        """Never returns; raises as soon as a server has ended by itself."""
        while True:
            for child in self._children:
                child.check_running()
            await asyncio.sleep(WATCH_SECONDS)

    def _start(self) -> None:
        self._data_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._owner_lock = lock_as_owner(self._data_dir)
        held = lock_for_servers(self._data_dir)
        try:
            self._spawn(Launcher(account_for(self._data_dir / "postgres"), (held,)))
        finally:
            os.close(held)
        for child in self._children:
            child.wait_ready()
        postgres.ensure_database(self.dsn_of("postgres"), "orderflow")

    def _spawn(self, launcher: Launcher) -> None:
        # What a killed server left here would make PostgreSQL believe that it is still running.
        remove(self._sockets)
        launcher.account.own(self._sockets)
        self._children.append(valkey.spawn_valkey(launcher, self._data_dir, self._sockets))
        self._children.append(postgres.spawn_postgres(launcher, self._data_dir, self._sockets, self._postgres_settings))


def socket_folder(data_dir: Path) -> Path:
    """A socket's path may have 107 bytes; a longer data folder gets its sockets elsewhere, always in the same place."""
    beside = data_dir / "sockets"
    if len(os.fsencode(beside / postgres.SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
        return beside
    name = f"orderflow-{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]}-{os.getuid()}"
    elsewhere = Path(tempfile.gettempdir()) / name
    return elsewhere if len(os.fsencode(elsewhere)) <= LONGEST_SOCKET_PATH - 20 else Path("/tmp") / name  # noqa: S108


def lock_as_owner(data_dir: Path) -> int:
    descriptor = os.open(data_dir / "owner.lock", os.O_RDWR | os.O_CREAT, 0o600)
    if not wait_until(lambda: _lock(descriptor), OWNER_SECONDS):
        owner = os.read(descriptor, 20).decode() or "unknown"
        os.close(descriptor)
        raise ServerFailed(
            f"The data folder {data_dir} is in use by process {owner}. "
            "Stop that one first, or name another folder with --data."
        )
    os.truncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


def lock_for_servers(data_dir: Path) -> int:
    """The servers inherit it: it is free only when the last process of a killed owner's servers is gone."""
    path = data_dir / "servers.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if not wait_until(lambda: _lock(descriptor), STOP_SECONDS):
        os.close(descriptor)
        raise ServerFailed(
            f"The servers of an earlier start in {data_dir} do not stop. End the processes that `fuser {path}` lists."
        )
    return descriptor


def lock_at(path: Path) -> int | None:
    """Give a held lock, or None while somebody else holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if _lock(descriptor):
        return descriptor
    os.close(descriptor)
    return None


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
