"""Debezium's PostgreSQL connector in Kafka Connect standalone, as a peer of the relay."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import psycopg
from psycopg.conninfo import conninfo_to_dict

from infra.local.child import Account, Child, Launcher
from infra.local.jars import jars_of
from infra.local.packages import program

FILES = Path(__file__).with_name("debezium")
BASE_SLOT = "debezium_base"
START_SECONDS = 60
JVM = ("-Xms512m", "-Xmx1g", "-XX:+UseParallelGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error")
MAIN = "org.apache.kafka.connect.cli.ConnectStandalone"


def mark_start(dsn: str) -> None:
    """Every connector that starts later publishes what is committed from now on, and nothing else."""
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("DROP PUBLICATION IF EXISTS debezium")
        admin.execute("CREATE PUBLICATION debezium FOR TABLE stored_events")
        admin.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", (BASE_SLOT,)
        )
        admin.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (BASE_SLOT,))


@contextmanager
def debezium(name: str, dsn: str, kafka: str, folder: Path, *, linger_ms: int) -> Iterator[None]:
    """Publish to `<name>.<category>` from where the start was marked; runs in `folder`, which must not be there yet."""
    folder.mkdir(parents=True)
    place = {
        "host": "localhost",
        "port": "5432",
        **conninfo_to_dict(dsn),
        "kafka": kafka,
        "name": name,
        "linger": linger_ms,
    }
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("SELECT pg_copy_logical_replication_slot(%s, %s)", (BASE_SLOT, name))
        child = _spawn({**place, "folder": str(folder)}, folder)
        try:
            _wait_until_it_reads(child, admin, name)
            yield
        finally:
            child.ask_to_stop()
            child.wait_stopped()
            admin.execute("SELECT pg_drop_replication_slot(%s)", (name,))


def _spawn(places: dict[str, object], folder: Path) -> Child:
    for file in FILES.glob("*.properties"):
        text = file.read_text()
        for place, value in places.items():
            text = text.replace(f"@{place}@", str(value))
        (folder / file.name).write_text(text)
    java = program("java", "openjdk-17-jre-headless").resolve()
    jars, log = jars_of(FILES / "debezium.pom.xml"), folder / "connect.log"
    command = [str(java), *JVM, "-cp", f"{jars}/*", MAIN]
    command += [str(folder / name) for name in ("worker.properties", "connector.properties")]
    process = Launcher(Account(os.getuid(), os.getgid()), ()).spawn(command, log, signal.SIGKILL)
    return Child("Debezium", process, log, lambda: True, signal.SIGTERM)


def _wait_until_it_reads(child: Child, admin: psycopg.Connection, slot: str) -> None:
    active = "SELECT active FROM pg_replication_slots WHERE slot_name = %s"
    until = monotonic() + START_SECONDS
    while admin.execute(active, (slot,)).fetchone() != (True,):
        child.check_running()
        if monotonic() > until:
            raise RuntimeError(f"Debezium does not read the log; {child.log} says why")
        sleep(0.02)
