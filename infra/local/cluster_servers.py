"""Kafka, RabbitMQ, PostgreSQL and Valkey as children of this process, reached on loopback ports with passwords."""

import asyncio
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from time import monotonic
from typing import Final
from urllib.parse import quote

from pydantic import SecretStr

from infra.http import LOOPBACK
from infra.local import kafka, postgres, rabbitmq, valkey
from infra.local.addresses import Addresses, addresses_in
from infra.local.child import STOP_SECONDS, Child, HeldServers, Launcher, ServerFailed, account_for, remove, wait_until
from infra.local.servers import WATCH_SECONDS, lock_as_owner, lock_at, lock_for_servers, socket_folder

KAFKA: Final = "Kafka"
RABBITMQ: Final = "RabbitMQ"
POSTGRESQL: Final = "PostgreSQL"
VALKEY: Final = "Valkey"
SERVERS: Final = (RABBITMQ, KAFKA, POSTGRESQL, VALKEY)
"""The slow ones first, so that they start while the others are made."""
_PORTS: Final[Mapping[str, tuple[str, ...]]] = {
    KAFKA: kafka.PORTS,
    RABBITMQ: rabbitmq.PORTS,
    POSTGRESQL: ("postgres",),
    VALKEY: ("valkey",),
}
_PASSWORDS: Final[Mapping[str, tuple[str, ...]]] = {
    KAFKA: (),
    RABBITMQ: rabbitmq.PASSWORDS,
    POSTGRESQL: ("postgres",),
    VALKEY: ("valkey",),
}
SETTING_OF: Final[Mapping[str, str]] = {
    KAFKA: "kafka_servers",
    RABBITMQ: "rabbitmq_url",
    POSTGRESQL: "postgres_dsn",
    VALKEY: "redis_url",
}
"""A server that a setting names is somebody else's, and is not started."""
LONGEST_PAUSE: Final = 10.0
CALM_SECONDS: Final = 60.0
"""A server that ran for so long is started again without a pause."""


class ClusterServers(HeldServers):
    """Gone when this process is gone, however it ends; a server that ends by itself is started again by `watch`.

    It comes back at the same place with the same data. Start it in the main thread: the kernel ties a child to the
    thread that started it.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        names: Collection[str] = SERVERS,
        postgres_settings: Mapping[str, str] | None = None,
        kafka_heap: str = kafka.HEAP,
    ) -> None:
        self._data_dir = data_dir.expanduser().absolute()
        self._names = [name for name in SERVERS if name in names]
        self._postgres_settings = postgres_settings or {}
        self._kafka_heap = kafka_heap
        self._sockets = socket_folder(self._data_dir)
        self._locks: list[int] = []
        self._children: dict[str, Child] = {}
        self._addresses = Addresses()

    @property
    def settings_found(self) -> dict[str, object]:
        """What `Settings.model_copy(update=...)` takes."""
        plain = SETTING_OF[KAFKA]
        return {name: url if name == plain else SecretStr(url) for name, url in self.urls.items()}

    @property
    def urls(self) -> dict[str, str]:
        """By the name of their setting."""
        url_of: Mapping[str, Callable[[], str]] = {
            KAFKA: lambda: self.kafka_servers,
            RABBITMQ: lambda: self.rabbitmq_url_of("/"),
            POSTGRESQL: lambda: self.dsn_of("orderflow"),
            VALKEY: lambda: self.redis_url_of(0),
        }
        return {SETTING_OF[name]: url_of[name]() for name in self._names}

    @property
    def kafka_servers(self) -> str:
        return f"{LOOPBACK}:{self._addresses.ports['kafka']}"

    def rabbitmq_url_of(self, virtual_host: str) -> str:
        password, port = self._addresses.secrets["rabbitmq"], self._addresses.ports["rabbitmq"]
        return f"amqp://{rabbitmq.USER}:{password}@{LOOPBACK}:{port}/{quote(virtual_host, safe='')}"

    def dsn_of(self, database: str) -> str:
        password, port = self._addresses.secrets["postgres"], self._addresses.ports["postgres"]
        return f"postgresql://orderflow:{password}@{LOOPBACK}:{port}/{quote(database)}"

    def redis_url_of(self, number: int) -> str:
        return f"redis://:{self._addresses.secrets['valkey']}@{LOOPBACK}:{self._addresses.ports['valkey']}/{number}"

    @property
    def virtual_hosts(self) -> rabbitmq.VirtualHosts:
        return rabbitmq.VirtualHosts(self._data_dir, self._addresses)

    @property
    def pids(self) -> dict[str, int]:
        return {name: child.process.pid for name, child in self._children.items()}

    def stop(self) -> None:
        for child in self._children.values():
            child.ask_to_stop()
        for child in self._children.values():
            child.wait_stopped()
        self._children.clear()
        if self._locks:
            remove(self._sockets)
        while self._locks:
            os.close(self._locks.pop())

    def restart(self, name: str) -> None:
        """Ends a server at once, however it is, and returns when it serves again. Call it in the main thread."""
        child = self._children[name]
        child.process.kill()
        child.process.wait()
        self._spawn(name)
        self._children[name].wait_ready()

    async def watch(self, tell: Callable[[str], None] = lambda _: None) -> None:
        """Never returns; starts again what ended by itself, ever more slowly when it ends again and again."""
        async with asyncio.TaskGroup() as tasks:
            for name in self._names:
                tasks.create_task(self._keep(name, tell), name=name)

    async def _keep(self, name: str, tell: Callable[[str], None]) -> None:
        pause, since, told = WATCH_SECONDS, monotonic(), None
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            child = self._children[name]
            if (code := child.process.poll()) is None:
                continue
            if child is not told:
                told = child
                tell(f"{name} ended by itself with code {code} and is started again; {child.log} may say why.")
                pause = WATCH_SECONDS if monotonic() - since > CALM_SECONDS else min(2 * pause, LONGEST_PAUSE)
                await asyncio.sleep(pause)
            # Somebody may have started it again in the meantime.
            if self._children[name] is child and self._spawned(name):
                since = monotonic()

    def _start(self) -> None:
        self._data_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._locks.append(lock_as_owner(self._data_dir))
        self._locks.append(lock_for_servers(self._data_dir))
        ports = [port for name in self._names for port in _PORTS[name]]
        passwords = [password for name in self._names for password in _PASSWORDS[name]]
        self._addresses = addresses_in(self._data_dir, ports, passwords)
        # What a killed server left here would make PostgreSQL believe that it is still running.
        remove(self._sockets)
        account_for(self._data_dir / "postgres").own(self._sockets)
        for name in self._names:
            self._spawn(name)
        for child in self._children.values():
            child.wait_ready()
        if POSTGRESQL in self._names:
            inside = f"postgresql://orderflow@/postgres?host={quote(str(self._sockets), safe='')}"
            inside += f"&port={self._addresses.ports['postgres']}"
            postgres.ensure_database(inside, "orderflow", password=self._addresses.secrets["postgres"])

    def _spawn(self, name: str) -> None:
        if not wait_until(lambda: self._spawned(name), STOP_SECONDS):
            path = self._lock_of(name)
            raise ServerFailed(
                f"Processes of an earlier {name} do not stop. End those that `fuser {path}` lists and start again."
            )

    def _spawned(self, name: str) -> bool:
        """False while a process of an earlier run of this server is left: two must never share its data."""
        held = lock_at(self._lock_of(name))
        if held is None:
            return False
        try:
            launcher = Launcher(account_for(self._data_dir / "postgres"), (self._locks[-1], held))
            self._children[name] = self._child(name, launcher)
        finally:
            os.close(held)
        return True

    def _lock_of(self, name: str) -> Path:
        return self._data_dir / f"{name.lower()}.lock"

    def _child(self, name: str, launcher: Launcher) -> Child:
        if name == KAFKA:
            return kafka.spawn_kafka(launcher, self._data_dir, self._addresses, self._kafka_heap)
        if name == RABBITMQ:
            return rabbitmq.spawn_rabbitmq(launcher, self._data_dir, self._addresses)
        if name == VALKEY:
            listening = valkey.Listening(self._addresses.ports["valkey"], self._addresses.secrets["valkey"])
            return valkey.spawn_valkey(launcher, self._data_dir, self._sockets, listening)
        reached = postgres.listening(launcher, self._data_dir, self._addresses.ports["postgres"])
        return postgres.spawn_postgres(launcher, self._data_dir, self._sockets, {**reached, **self._postgres_settings})
