"""A Valkey server of one test's own, which can be started again with the data of an earlier moment."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import redis

from infra.local.child import Child, Launcher, account_for
from infra.local.valkey import SOCKET_NAME, spawn_valkey


@dataclass
class KeptServer:
    folder: Path
    sockets: Path
    launcher: Launcher
    child: Child | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.sockets / SOCKET_NAME}"

    def start(self) -> None:
        self.child = spawn_valkey(self.launcher, self.folder, self.sockets)
        self.child.wait_ready()

    def kill(self) -> None:
        assert self.child is not None
        self.child.process.kill()
        self.child.process.wait()

    def copy(self) -> Path:
        """Give the data as they are now."""
        with redis.Redis.from_url(self.url) as client:
            client.execute_command("WAITAOF", 1, 0, 5_000)
        return Path(shutil.copytree(self.folder / "valkey", Path(mkdtemp(dir=self.folder)) / "valkey"))

    def restart(self, data: Path) -> None:
        self.kill()
        place = self.folder / "valkey"
        owner = place.stat()
        shutil.rmtree(place)
        data.rename(place)
        for path in (place, *place.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
        self.start()


@contextmanager
def kept_server() -> Iterator[KeptServer]:
    with TemporaryDirectory(prefix="orderflow-redis-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        launcher = Launcher(account_for(folder / "valkey"), ())
        sockets = folder / "sockets"
        launcher.account.own(sockets)
        server = KeptServer(folder, sockets, launcher)
        server.start()
        try:
            yield server
        finally:
            server.kill()
