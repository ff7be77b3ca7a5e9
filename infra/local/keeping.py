"""Starts, finds and stops the process that keeps the servers of a data folder."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from infra.local import kafka, rabbitmq
from infra.local.answering import NoAnswer, version_at
from infra.local.child import LOG_TAIL_BYTES, START_SECONDS, STOP_SECONDS, ServerFailed, wait_until
from infra.local.cluster_servers import KAFKA, RABBITMQ, SERVERS, SETTING_OF
from infra.local.docker import down_docker, pids_of_docker
from infra.local.kept_servers import KeptServers, keeper_of, kept_in, owner_of, started_of
from infra.settings import Settings

LOG_NAME: Final = "keeper.log"
ENDING_SECONDS: Final = STOP_SECONDS + 15


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    up: bool
    kept_by: Literal["native", "docker", "you"] | None
    url: str | None
    pid: int | None
    version: str | None
    trouble: str | None = None


def folder_of(data: Path | None, settings: Settings) -> Path:
    return (data or settings.run_dir / "servers").expanduser().absolute()


def brought(settings: Settings) -> dict[str, str]:
    """Give the URLs, by server, of what the settings name: those servers are not ours to start."""
    return {name: _url_in(settings, name) for name in SERVERS if SETTING_OF[name] in settings.model_fields_set}


def _url_in(settings: Settings, name: str) -> str:
    found = getattr(settings, SETTING_OF[name])
    return found if isinstance(found, str) else str(found.get_secret_value())


def running_in(folder: Path) -> KeptServers | None:
    """Give what runs in the folder, kept by a process or by Docker; raises ServerFailed when it is another's."""
    return docker_in(folder) or keeper_of(folder)


def docker_in(folder: Path) -> KeptServers | None:
    """Give what Docker was told to keep; whether it still does, only Docker knows."""
    kept = kept_in(folder)
    return kept if kept is not None and kept.kind == "docker" and owner_of(folder) is None else None


def up_native(folder: Path, names: Collection[str], postgres_settings: Mapping[str, str]) -> KeptServers:
    """Start a keeper and return when all servers serve; somebody else who does so at the same time is waited for."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    # Here, where somebody sees it: the first time takes a while and says so.
    if KAFKA in names:
        kafka.prepare()
    if RABBITMQ in names:
        rabbitmq.prepare()
    with (folder / "up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return keeper_of(folder) or _started(folder, names, postgres_settings)


def _started(folder: Path, names: Collection[str], postgres_settings: Mapping[str, str]) -> KeptServers:
    log = folder / LOG_NAME
    command = [sys.executable, "-m", "infra.local.keeper", str(folder), *names]
    command += [f"{name}={value}" for name, value in postgres_settings.items()]
    with log.open("wb") as output:
        keeper = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, cwd="/"
        )
    try:
        wait_until(lambda: keeper.poll() is not None or _ready(folder), START_SECONDS + STOP_SECONDS)
        kept = keeper_of(folder)
    except BaseException:
        keeper.terminate()
        raise
    if kept is None:
        keeper.terminate()
        told = log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
        raise ServerFailed(f"The servers could not be started in {folder}. {told}")
    return kept


def _ready(folder: Path) -> bool:
    kept = kept_in(folder)
    return kept is not None and kept.pid == owner_of(folder) and kept.started == started_of(kept.pid)


def down(folder: Path) -> bool:
    """Stop what runs in the folder and wait for it; False when nothing did. The data stays."""
    if docker_in(folder) is not None:
        down_docker(folder)
        return True
    if owner_of(folder) is None:
        return False
    # One that has just been started has not said yet who it is.
    wait_until(lambda: owner_of(folder) is None or keeper_of(folder) is not None, START_SECONDS)
    kept = keeper_of(folder)
    if kept is None:
        return False
    _end(kept)
    if not wait_until(lambda: owner_of(folder) is None, ENDING_SECONDS):
        raise ServerFailed(f"The keeper of {folder} does not stop. Look at {folder / LOG_NAME}, and end {kept.pid}.")
    return True


def _end(kept: KeptServers) -> None:
    with suppress(ProcessLookupError):
        if not hasattr(os, "pidfd_open"):
            os.kill(kept.pid, signal.SIGTERM)
            return
        held = os.pidfd_open(kept.pid)
        try:
            # Asked again now that the number cannot be given to another process.
            if started_of(kept.pid) == kept.started:
                signal.pidfd_send_signal(held, signal.SIGTERM)
        finally:
            os.close(held)


def status(folder: Path, settings: Settings) -> list[Server]:
    """Ask every server whether it lets us in."""
    kept = running_in(folder)
    yours = brought(settings)
    pids = pids_of_docker(folder) if kept and kept.kind == "docker" else kept.pids if kept else {}
    servers = []
    for name in SERVERS:
        ours = kept.urls.get(SETTING_OF[name]) if kept else None
        url = ours or yours.get(name)
        by = kept.kind if kept and ours else "you" if url else None
        servers.append(_asked(name, url, by, pids.get(name) if ours else None))
    return servers


def _asked(name: str, url: str | None, by: Literal["native", "docker", "you"] | None, pid: int | None) -> Server:
    if url is None:
        return Server(name, up=False, kept_by=by, url=None, pid=None, version=None)
    try:
        version = version_at(name, url) or (kafka.version() if name == KAFKA and by == "native" else None)
    except NoAnswer as trouble:
        return Server(name, up=False, kept_by=by, url=url, pid=pid, version=None, trouble=str(trouble))
    return Server(name, up=True, kept_by=by, url=url, pid=pid, version=version)
