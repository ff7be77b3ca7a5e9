"""Finds the platform that a command is for: by option, by setting, or the one that runs on this machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from infra.commands.failure import UNREACHABLE, Failure
from infra.local.kept_servers import kept_in, owner_of
from infra.local.postgres import SOCKET_STEM
from infra.local.ready import Ready, all_running, newest_running, read
from infra.local.servers import LocalServers, socket_folder
from infra.secret_files import secret_in
from infra.settings import Settings

NOWHERE = "No running platform was found. Start one with `orderflow up`, or name one with --ready-file."


@dataclass(frozen=True, slots=True)
class Place:
    """What is known so far; an option wins over a setting, a setting over what a ready file says."""

    ready_file: Path | None = None
    write_url: str | None = None
    query_url: str | None = None
    token: str | None = None

    def with_settings(self, settings: Settings) -> "Place":
        token = settings.token.get_secret_value() if settings.token else None
        return Place(
            ready_file=self.ready_file or settings.ready_file,
            write_url=self.write_url or settings.write_url,
            query_url=self.query_url or settings.query_url,
            token=self.token or token,
        )

    def complete(self, settings: Settings) -> "Place":
        """Give a place of which everything is known, or fail with what to do."""
        place = self.with_settings(settings)
        if place.write_url and place.query_url and place.token:
            return place
        ready = ready_of(place.ready_file, settings)
        if ready is None:
            raise Failure(NOWHERE, UNREACHABLE)
        return Place(
            write_url=place.write_url or ready.write_url,
            query_url=place.query_url or ready.query_url,
            token=place.token or ready.token,
        )


def ready_of(file: Path | None, settings: Settings) -> Ready | None:
    """Give what a ready file says; without one, the platform that was started last on this machine, if any runs."""
    file = file or settings.ready_file
    if file is None:
        return newest_running(settings.run_dir)
    ready = read(file)
    if ready is None:
        raise Failure(f"{file} is not the ready file of a running platform.", UNREACHABLE)
    return ready


def data_of(data: Path | None, ready_file: Path | None, settings: Settings) -> Path | None:
    """Give the data folder that a command is about, if one is known."""
    if data or settings.data_dir:
        return (data or settings.data_dir or Path()).expanduser().absolute()
    ready = ready_of(ready_file, settings)
    return ready.data_dir if ready else None


def dsn_of(dsn: str | None, data: Path | None, settings: Settings) -> str:
    """Give the database to read: named, or that of a local platform."""
    return address(dsn or _own(data, settings) or str(servers_of(data, settings)["postgres_dsn"]))


def address(dsn: str) -> str:
    """Give it back if PostgreSQL's client can read it, or raise Failure without it: it may hold a password."""
    try:
        conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        sentence = "--dsn or ORDERFLOW_POSTGRES_DSN is no database address, such as postgresql://user@host/orderflow."
        raise Failure(sentence) from None
    return dsn


def servers_of(data: Path | None, settings: Settings) -> dict[str, Any]:
    """Give a database and what is known of the servers beside it, by the names of their settings."""
    own = _own(data, settings)
    folder = data or settings.data_dir
    if folder and not own:
        return _servers_in(folder.expanduser().absolute(), settings)
    ready = ready_of(None, settings)
    if ready and own in (None, ready.postgres_dsn):
        return _servers_beside(ready)
    if own:
        return {"postgres_dsn": own}
    raise Failure("Name a database with --dsn or a data folder with --data, or start `orderflow up`.", UNREACHABLE)


def _own(data: Path | None, settings: Settings) -> str | None:
    named = data is None and "postgres_dsn" in settings.model_fields_set
    return settings.postgres_dsn.get_secret_value() if named else None


def _servers_in(folder: Path, settings: Settings) -> dict[str, Any]:
    """Ask whoever runs them; when it does not say so here, its socket tells that PostgreSQL is there, and its port."""
    for ready in all_running(settings.run_dir):
        if ready.data_dir.resolve() == folder.resolve():
            return _servers_beside(ready)
    kept = kept_in(folder)
    if kept and (kept.kind == "docker" or kept.pid == owner_of(folder)) and "postgres_dsn" in kept.urls:
        return kept.urls
    dsn = LocalServers(folder).postgres_dsn
    for socket in socket_folder(folder).glob(f"{SOCKET_STEM}.*[0-9]"):
        dsn = f"{dsn}&port={socket.suffix[1:]}"
    return {"postgres_dsn": dsn} | _vault_in(folder)


def _servers_beside(ready: Ready) -> dict[str, Any]:
    names = ("postgres_dsn", "redis_url", "kafka_servers", "rabbitmq_url", "acquirer_url")
    return ready.model_dump(include=set(names), exclude_none=True) | _vault_in(ready.data_dir)


def _vault_in(folder: Path) -> dict[str, Any]:
    secret = secret_in(folder)
    return {"vault_file": secret} if secret.is_file() else {}
