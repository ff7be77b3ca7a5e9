"""How fast the whole log is verified, beside hashing the same bytes: `python -m tests.benchmarks.bench_audit`."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median
from time import perf_counter

import psycopg
from rich.console import Console
from rich.table import Table

from infra.audit.note import KEY_NAME, ensure_log_key
from infra.local.servers import LocalServers
from infra.migrate import migrate
from tests.benchmarks import stored_log

EVENTS = 1_000_000
ROUNDS = 3
GOAL_SECONDS = 60


@contextmanager
def a_log(events: int) -> Iterator[tuple[str, Path]]:
    with tempfile.TemporaryDirectory(prefix="orderflow-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with LocalServers(folder / "servers") as servers:
            migrate(servers.postgres_dsn)
            stored_log.write(servers.postgres_dsn, stored_log.living(events), per_commit=50_000)
            ensure_log_key(folder / "keys" / KEY_NAME)
            yield servers.postgres_dsn, folder


def audit(dsn: str, folder: Path, *arguments: str) -> tuple[float, float, dict[str, object]]:
    """Run the command as its users do; gives the seconds from its start to its end, those of its CPU, what it told."""
    said = {"ORDERFLOW_LOG_KEY_FILE": str(folder / "keys" / KEY_NAME)}
    command = [sys.executable, "-m", "infra.cli", "audit", *arguments, "--dsn", dsn, "--json"]
    began, before = perf_counter(), getrusage(RUSAGE_CHILDREN)
    done = subprocess.run(command, env={**os.environ, **said}, stdout=subprocess.PIPE, check=True)
    seconds, after = perf_counter() - began, getrusage(RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, worked, json.loads(done.stdout)


def hashed(dsn: str) -> tuple[float, int]:
    """Hash the stored bytes, in memory before: no verification can take less."""
    with psycopg.connect(dsn) as connection, connection.cursor("states", binary=True) as cursor:
        cursor.execute("SELECT state FROM stored_events ORDER BY notification_id")
        seconds, size = 0.0, 0
        while rows := cursor.fetchmany(10_000):
            began = perf_counter()
            for (state,) in rows:
                sha256(state).digest()
            seconds += perf_counter() - began
            size += sum(len(state) for (state,) in rows)
    return seconds, size


def read(dsn: str) -> float:
    """Read the same rows and do nothing with them."""
    began = perf_counter()
    with psycopg.connect(dsn) as connection, connection.cursor("rows", binary=True) as cursor:
        cursor.execute("SELECT * FROM stored_events ORDER BY notification_id")
        while cursor.fetchmany(5_000):
            pass
    return perf_counter() - began


def measure(events: int) -> None:
    with a_log(events) as (dsn, folder):
        first, _, _ = audit(dsn, folder, "checkpoint")
        again, _, _ = audit(dsn, folder, "checkpoint")
        rounds = [audit(dsn, folder, "verify") for _ in range(ROUNDS)]
        told = rounds[0][2]
        if not told["well"] or told["unsigned"]:
            raise RuntimeError(f"the log is not as it was signed: {told}")
        verified, count = median(seconds for seconds, _, _ in rounds), int(str(told["events"]))
        since, _, _ = audit(dsn, folder, "verify", "--since", str(count))
        hashing, size = hashed(dsn)
        reading = read(dsn)
    million = 1_000_000 / count
    title = f"{count:,} events, {size / count:,.0f} bytes each; verified {ROUNDS} times, the median"
    table = Table("figure", "measured", "for 1,000,000", "verify takes", "goal", title=title)
    rate = f"{count / verified:,.0f} events/s"
    table.add_row("audit verify, all of it", rate, f"{verified * million:.1f} s", "", f"< {GOAL_SECONDS} s")
    worked = median(each for _, each, _ in rounds)
    table.add_row("  of it on the CPU, without the database", "", f"{worked * million:.1f} s")
    for name, seconds in (("reading the rows only", reading), ("SHA-256 of the bytes only", hashing)):
        each = f"{count / seconds:,.0f} events/s"
        table.add_row(name, each, f"{seconds * million:.1f} s", f"{verified / seconds:.1f}x")
    table.add_row("audit checkpoint, the first", f"{count / first:,.0f} events/s", f"{first * million:.1f} s")
    table.add_row("audit checkpoint, of nothing new", f"{again:.2f} s")
    table.add_row("audit verify --since the newest", f"{since:.2f} s")
    Console(width=110).print(table)


if __name__ == "__main__":
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
