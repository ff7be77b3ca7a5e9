"""Word of a running platform: a file that says where it is, there exactly as long as it is ready."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError


class Run(BaseModel):
    """How a role of the cluster profile fares."""

    model_config = ConfigDict(frozen=True)

    started_at: datetime
    restarts: int


class Ready(BaseModel):
    """Holds a token, so the file is for its owner's eyes only."""

    model_config = ConfigDict(frozen=True)

    write_url: str
    query_url: str
    write_grpc: str
    """host:port, as that of the query API."""
    query_grpc: str
    mail_url: str
    acquirer_url: str
    smtp_port: int
    token: str
    """Carries every scope, for the tenant of the catalogue."""
    curl: str
    """Places an order that will be confirmed; a shell runs it."""
    pid: int
    started_at: datetime
    data_dir: Path
    tenant_id: str
    profile: Literal["embedded", "cluster"] = "embedded"
    postgres_dsn: str
    redis_url: str
    kafka_servers: str | None = None
    rabbitmq_url: str | None = None
    services: dict[str, int] = {}
    """Process ids by role, each as of now; a role that is just being started again is missing."""
    servers: dict[str, int] = {}
    """Process ids by server, of those that the platform has started."""
    runs: dict[str, Run] = {}


@contextmanager
def announced(ready: Ready, *files: Path) -> Iterator[Callable[[Ready], None]]:
    """Write the files at once and whole, again when told so; remove those that are still ours at the end."""

    def announce(current: Ready) -> None:
        for file in files:
            write_whole(file, current.model_dump_json(indent=2) + "\n")

    try:
        announce(ready)
        yield announce
    finally:
        for file in files:
            known = read(file)
            if known is not None and known.pid == ready.pid:
                file.unlink(missing_ok=True)


def write_whole(file: Path, text: str) -> None:
    """Replace a file at once, so that nobody reads half of it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, unfinished = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    with os.fdopen(descriptor, "w") as written:
        written.write(text)
    Path(unfinished).replace(file)


def read(file: Path) -> Ready | None:
    """Give what a file says; None when there is none or it says something else."""
    try:
        return Ready.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None


def newest_running(run_dir: Path) -> Ready | None:
    """Give the platform that was started last and still runs."""
    return next(all_running(run_dir), None)


def all_running(run_dir: Path) -> Iterator[Ready]:
    """Give the platforms that run, the newest first."""
    folder = run_dir.expanduser()
    files = sorted(folder.glob("[0-9]*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    found = (read(file) for file in files)
    yield from (ready for ready in found if ready is not None and is_running(ready.pid))


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
