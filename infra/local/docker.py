"""The same servers as containers of one Docker Compose project of their own; no other container is touched."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from infra.http import LOOPBACK
from infra.local.addresses import Addresses, addresses_in
from infra.local.child import ServerFailed
from infra.local.cluster_servers import KAFKA, POSTGRESQL, RABBITMQ, SETTING_OF, VALKEY
from infra.local.kept_servers import KeptServers, file_in
from infra.local.ready import write_whole

COMPOSE_FILE: Final = Path(__file__).parents[1] / "compose.yaml"
ENVIRONMENT_NAME: Final = "compose.env"
SERVICE_OF: Final[Mapping[str, str]] = {
    POSTGRESQL: "postgres",
    VALKEY: "valkey",
    KAFKA: "kafka",
    RABBITMQ: "rabbitmq",
}
_ASK_SECONDS: Final = 10.0


def works() -> bool:
    """Whether an engine and Compose answer here and now."""
    docker = shutil.which("docker")
    return docker is not None and all(_succeeds([docker, *words]) for words in (["info"], ["compose", "version"]))


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=_ASK_SECONDS, check=False).returncode == 0  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False


def compose(folder: Path, *words: str) -> list[str]:
    """Give a command line; the project is named after the folder, so two folders never meet."""
    project = f"orderflow-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    docker = shutil.which("docker") or "docker"
    files = ("-f", str(COMPOSE_FILE), "--env-file", str(folder / ENVIRONMENT_NAME))
    return [docker, "compose", "-p", project, *files, *words]


def up_docker(folder: Path, names: Collection[str], postgres_settings: Mapping[str, str]) -> KeptServers:
    """Return when all are healthy. The containers go on without us and start again by themselves."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    services = [SERVICE_OF[name] for name in names]
    addresses = addresses_in(folder, list(SERVICE_OF.values()), ("postgres", "valkey", "rabbitmq"))
    write_whole(folder / ENVIRONMENT_NAME, environment_of(addresses, postgres_settings))
    _up(folder, services)
    kept = KeptServers(kind="docker", pid=0, started="", urls=_urls(addresses, names))
    write_whole(file_in(folder), kept.model_dump_json(indent=2) + "\n")
    return kept


def up_again(folder: Path, kept: KeptServers) -> None:
    """Start what is not there any more, at the same addresses, and return when all are healthy."""
    _up(folder, [SERVICE_OF[name] for name in SERVICE_OF if SETTING_OF[name] in kept.urls])


def _up(folder: Path, services: Sequence[str]) -> None:
    if not _shown(compose(folder, "up", "-d", "--wait", *services)):
        raise ServerFailed("Docker could not start the servers; it said why above. Try `--native` without Docker.")


def down_docker(folder: Path) -> None:
    """Remove the containers; the volumes with the data stay."""
    if not _shown(compose(folder, "down")):
        raise ServerFailed("Docker could not stop the servers; it said why above.")
    file_in(folder).unlink(missing_ok=True)


def _shown(command: list[str]) -> bool:
    """Let a person see its progress; standard output is for the answer."""
    try:
        return subprocess.run(command, stdout=2, check=False).returncode == 0  # noqa: S603
    except OSError as missing:
        raise ServerFailed("Docker keeps these servers, but there is no `docker` on the PATH.") from missing


def pids_of_docker(folder: Path) -> dict[str, int]:
    """Give the process ids that the engine knows; on another machine's engine they mean nothing here."""
    name_of = {service: name for name, service in SERVICE_OF.items()}
    listed = _output(compose(folder, "ps", "-q"))
    inspected = _output([shutil.which("docker") or "docker", "inspect", *listed.split()]) if listed else ""
    containers = json.loads(inspected or "[]")
    return {
        name_of[container["Config"]["Labels"]["com.docker.compose.service"]]: container["State"]["Pid"]
        for container in containers
    }


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def environment_of(addresses: Addresses, postgres_settings: Mapping[str, str]) -> str:
    values = {
        **{f"{service.upper()}_PORT": str(addresses.ports[service]) for service in SERVICE_OF.values()},
        **{f"{service.upper()}_PASSWORD": addresses.secrets[service] for service in ("postgres", "valkey", "rabbitmq")},
        "POSTGRES_WAL_LEVEL": postgres_settings.get("wal_level", "replica"),
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


def _urls(addresses: Addresses, names: Collection[str]) -> dict[str, str]:
    ports, secrets = addresses.ports, addresses.secrets
    url_of = {
        KAFKA: f"{LOOPBACK}:{ports['kafka']}",
        RABBITMQ: f"amqp://orderflow:{secrets['rabbitmq']}@{LOOPBACK}:{ports['rabbitmq']}/{quote('/', safe='')}",
        POSTGRESQL: f"postgresql://orderflow:{secrets['postgres']}@{LOOPBACK}:{ports['postgres']}/orderflow",
        VALKEY: f"redis://:{secrets['valkey']}@{LOOPBACK}:{ports['valkey']}/0",
    }
    return {SETTING_OF[name]: url_of[name] for name in names}
