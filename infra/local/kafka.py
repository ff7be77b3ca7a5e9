"""Runs an Apache Kafka broker in KRaft mode, from the official jars on the machine's Java."""

import re
import signal
import socket
import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final
from uuid import uuid4

from infra.http import LOOPBACK
from infra.local.addresses import Addresses
from infra.local.child import START_SECONDS, Child, Launcher, ServerFailed, explain, remove
from infra.local.jars import jars_of
from infra.local.packages import program

PORTS: Final = ("kafka", "kafka_controller")
PASSWORDS: Final = ()
HEAP: Final = "512m"
_PROPERTIES: Final = "server.properties"
_POM: Final = Path(__file__).with_name("kafka.pom.xml")
_JVM: Final = (
    "-Xms128m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Dlog4j2.level=WARN",
)
SETTINGS: Final[Mapping[str, str]] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "log.dirs": "data",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Else every group waits three seconds for members who could still come.
    "group.initial.rebalance.delay.ms": "0",
    # A broker that was killed is let in again only when its last session has timed out.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    # The usual 128 MB would be a quarter of the heap.
    "log.cleaner.dedupe.buffer.size": "16777216",
}


def prepare() -> tuple[Path, Path]:
    """Give Java and the folder of jars, and get what is missing."""
    return program("java", "openjdk-17-jre-headless").resolve(), jars_of(_POM)


def version() -> str:
    """Give the version of the broker that is started here."""
    found = re.search(r"kafka_[\d.]+</artifactId>\s*<version>([^<]+)", _POM.read_text())
    return found[1] if found else ""


def spawn_kafka(launcher: Launcher, data_dir: Path, addresses: Addresses, heap: str = HEAP) -> Child:
    port, controller = (addresses.ports[name] for name in PORTS)
    folder, log = data_dir / "kafka", data_dir / "kafka.log"
    runtime, jars = prepare()
    java = [str(runtime), f"-Xmx{heap}", *_JVM, "-cp", f"{jars}/*"]
    settings = {
        **SETTINGS,
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller}",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
    }
    if not folder.exists():
        _format(launcher, [*java, "kafka.tools.StorageTool"], (folder, jars, log), settings)
    _write(folder / _PROPERTIES, settings)
    process = _inside(launcher, folder).spawn([*java, "kafka.Kafka", _PROPERTIES], log, signal.SIGTERM, folder, jars)
    return Child("Kafka", process, log, lambda: answers(LOOPBACK, port), signal.SIGTERM)


def _inside(launcher: Launcher, folder: Path) -> Launcher:
    """Kafka splits the path of its data at commas, so it is told a relative one."""
    return replace(launcher, cwd=folder, environment={"LC_ALL": "C.UTF-8"})


def _format(launcher: Launcher, tool: list[str], places: tuple[Path, Path, Path], settings: Mapping[str, str]) -> None:
    """Under another name first, so that a start killed half way leaves nothing that looks whole."""
    folder, jars, log = places
    unfinished = folder.with_name("kafka.unfinished")
    remove(unfinished)
    launcher.account.own(unfinished)
    _write(unfinished / _PROPERTIES, settings)
    command = [*tool, "format", "--cluster-id", uuid4().hex[:22], "--config", _PROPERTIES]
    if _inside(launcher, unfinished).spawn(command, log, signal.SIGKILL, unfinished, jars).wait(START_SECONDS) != 0:
        raise ServerFailed(explain(f"Kafka could not create its data folder {unfinished}", log))
    unfinished.rename(folder)


def _write(properties: Path, settings: Mapping[str, str]) -> None:
    properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))


def answers(host: str, port: int) -> bool:
    """Whether the broker names itself when asked for metadata; an open port alone says little."""
    asked = struct.pack(">hhihi", 3, 1, 1, -1, 0)
    try:
        with socket.create_connection((host, port), timeout=1) as client:
            client.settimeout(1)
            client.sendall(struct.pack(">i", len(asked)) + asked)
            told = client.recv(12, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(told) == 12 and struct.unpack(">iii", told)[2] > 0  # noqa: PLR2004
