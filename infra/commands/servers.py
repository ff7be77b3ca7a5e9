"""`orderflow servers`: the four servers of the cluster profile, kept for whoever comes and goes."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.commands.output import AsJson, wants_json, write_json, write_table

if TYPE_CHECKING:
    from infra.local.keeping import Server

servers = typer.Typer(help="Keep PostgreSQL, Valkey, Kafka and RabbitMQ running on this machine.", no_args_is_help=True)

Data = Annotated[
    Path | None, typer.Option(help="Where they keep their data; without it, a folder below ORDERFLOW_RUN_DIR.")
]


@servers.command()
def up(
    *,
    data: Data = None,
    docker: Annotated[
        bool | None, typer.Option("--docker/--native", help="By itself, Docker where an engine answers.")
    ] = None,
    wal_logical: Annotated[
        bool, typer.Option("--wal-logical", help="Let PostgreSQL tell its changes to readers such as Debezium.")
    ] = False,
    as_json: AsJson = None,
) -> None:
    """Start what no ORDERFLOW_ setting names, and ask whether the rest answers."""
    from infra.commands.failure import Failure
    from infra.local import docker as containers
    from infra.local.child import ServerFailed
    from infra.local.cluster_servers import SERVERS
    from infra.local.keeping import brought, docker_in, folder_of, up_native
    from infra.local.keeping import status as status_of
    from infra.local.kept_servers import keeper_of
    from infra.settings import Settings

    settings = Settings()
    folder, yours = folder_of(data, settings), brought(settings)
    for name, url in yours.items():
        _check(name, url)
    more = {"wal_level": "logical"} if wal_logical else {}
    try:
        if kept := docker_in(folder):
            containers.up_again(folder, kept)
        elif keeper_of(folder) is not None:
            typer.echo("The servers run already.", err=True)
        elif names := [name for name in SERVERS if name not in yours]:
            if docker is True and not containers.works():
                raise Failure("No Docker engine with Compose answers. Start it, or use --native.")
            use_docker = containers.works() if docker is None else docker
            (containers.up_docker if use_docker else up_native)(folder, names, more)
    except ServerFailed as failed:
        raise Failure(str(failed)) from failed
    _show(status_of(folder, settings), folder, as_json=as_json)


def _check(name: str, url: str) -> None:
    from infra.commands.failure import UNREACHABLE, Failure
    from infra.local.answering import NoAnswer, version_at
    from infra.local.cluster_servers import SETTING_OF

    variable = f"ORDERFLOW_{SETTING_OF[name].upper()}"
    try:
        version_at(name, url)
    except NoAnswer as trouble:
        sentence = f"{name} at {variable} does not answer ({trouble}). Start it, or unset {variable}."
        raise Failure(sentence, UNREACHABLE) from trouble


@servers.command()
def down(*, data: Data = None) -> None:
    """Stop them and wait; their data stays. Nothing else is touched."""
    from infra.commands.failure import Failure
    from infra.local.child import ServerFailed
    from infra.local.keeping import down as stop
    from infra.local.keeping import folder_of
    from infra.settings import Settings

    folder = folder_of(data, Settings())
    try:
        stopped = stop(folder)
    except ServerFailed as failed:
        raise Failure(str(failed)) from failed
    typer.echo(f"The servers in {folder} are stopped." if stopped else f"No servers run in {folder}.", err=True)


@servers.command()
def status(*, data: Data = None, as_json: AsJson = None) -> None:
    """Show which servers answer, where, and who keeps them; exit code 4 when one does not."""
    from infra.commands.failure import UNREACHABLE

    found, folder = _found(data)
    _show(found, folder, as_json=as_json)
    if not all(server.up for server in found):
        raise typer.Exit(UNREACHABLE)


@servers.command()
def env(*, data: Data = None) -> None:
    """Write the settings that name them, for `eval "$(orderflow servers env)"`; they hold passwords."""
    import shlex

    from infra.commands.failure import UNREACHABLE, Failure
    from infra.local.cluster_servers import SETTING_OF

    found, folder = _found(data)
    known = [(SETTING_OF[server.name].upper(), server.url) for server in found if server.url is not None]
    if not known:
        raise Failure(f"No servers run in {folder}. Start them with `orderflow servers up`.", UNREACHABLE)
    for name, url in known:
        typer.echo(f"export ORDERFLOW_{name}={shlex.quote(url)}")


def _found(data: Path | None) -> "tuple[list[Server], Path]":
    from infra.commands.failure import Failure
    from infra.local.child import ServerFailed
    from infra.local.keeping import folder_of
    from infra.local.keeping import status as ask
    from infra.settings import Settings

    settings = Settings()
    folder = folder_of(data, settings)
    try:
        return ask(folder, settings), folder
    except ServerFailed as failed:
        raise Failure(str(failed)) from failed


def _show(found: "list[Server]", folder: Path, *, as_json: bool | None) -> None:
    from dataclasses import asdict

    if wants_json(as_json):
        write_json({"data_dir": str(folder), "servers": [asdict(server) for server in found]})
        return
    rows = (
        (s.name, "up" if s.up else "down", s.kept_by, masked(s.url or ""), s.pid, s.version or s.trouble) for s in found
    )
    write_table(f"Servers in {folder}", ("server", "state", "kept by", "url", "pid", "version"), rows)


def masked(url: str) -> str:
    """Give a URL as it may be shown to whoever looks over the shoulder."""
    return re.sub(r"(?<=://)([^:@/]*):[^@/]*@", r"\1:***@", url)
