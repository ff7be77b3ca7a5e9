"""How fast facts get from the log to Kafka, beside Debezium: `python -m tests.benchmarks.bench_relay`."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from time import monotonic, time_ns

import psycopg
import uvloop
from rich.console import Console
from rich.table import Table

from infra.appender import Append, Appender, Once
from infra.kafka.topics import create_missing, topics_of
from infra.local.cluster_servers import KAFKA, POSTGRESQL, VALKEY, ClusterServers
from infra.migrate import migrate
from infra.settings import Settings
from schemas.ids import new_id
from schemas.recorded import encode
from tests.appending import open_pool
from tests.benchmarks import stored_log
from tests.benchmarks.debezium_peer import debezium, mark_start
from tests.benchmarks.kafka_watch import Isolation, Seen, Watch, watching
from tests.examples import placed, recorded

EVENTS = 300_000
ROUNDS = 2
RATE = 500
SECONDS = 20
WARM_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Bench:
    servers: ClusterServers
    folder: Path
    events: int

    @property
    def dsn(self) -> str:
        return self.servers.dsn_of("orderflow")

    def settings(self, prefix: str) -> Settings:
        settings = Settings(profile="cluster", topic_prefix=prefix).model_copy(update=self.servers.settings_found)
        create_missing(settings)
        return settings

    @contextmanager
    def watching(self, prefix: str, events: int, isolation: Isolation, *, new: bool = False) -> Iterator[Watch]:
        topics = topics_of(self.settings(prefix)).values()
        with watching(self.servers.kafka_servers, list(topics), events, isolation=isolation, new=new) as watch:
            yield watch

    @contextmanager
    def relay(self, prefix: str) -> Iterator[None]:
        """Run the relay as its users do."""
        settings = self.settings(prefix)
        said = {
            "ORDERFLOW_POSTGRES_DSN": settings.postgres_dsn.get_secret_value(),
            "ORDERFLOW_REDIS_URL": settings.redis_url.get_secret_value(),
            "ORDERFLOW_KAFKA_SERVERS": settings.kafka_servers,
            "ORDERFLOW_TOPIC_PREFIX": prefix,
        }
        command = [sys.executable, "-m", "infra.cli", "run", "relay"]
        with stopped_at_end(subprocess.Popen(command, env={**os.environ, **said})):
            yield

    @contextmanager
    def debezium(self, name: str, *, linger_ms: int) -> Iterator[None]:
        with debezium(name, self.dsn, self.servers.kafka_servers, self.folder / name, linger_ms=linger_ms):
            yield


@contextmanager
def stopped_at_end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def rate(seen: Seen) -> float:
    """Give events per second from the first to the last that a reader of committed records saw."""
    (first, at_first), (last, _) = seen[0], seen[-1]
    return (sum(len(ids) for _, ids in seen) - len(at_first)) / (last - first) * 1e9


def relayed(bench: Bench, prefix: str) -> float:
    with psycopg.connect(bench.dsn, autocommit=True) as admin:
        admin.execute("DELETE FROM relay_positions")
    with bench.watching(prefix, bench.events, "read_committed") as watch, bench.relay(prefix):
        return rate(watch.seen())


def from_memory(bench: Bench, prefix: str) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.relay_from_memory", bench.servers.kafka_servers, prefix]
    process = subprocess.Popen([*command, str(bench.events)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with bench.watching(prefix, bench.events, "read_committed") as watch, stopped_at_end(process):
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the producer did not start")
        process.communicate("go\n")
        return rate(watch.seen())


def tailed(bench: Bench, prefix: str) -> float:
    with bench.watching(prefix, bench.events, "read_committed") as watch, bench.debezium(prefix, linger_ms=5):
        return rate(watch.seen())


async def commit_steadily(dsn: str, events: int) -> dict[str, int]:
    """Commit events, each by a command of its own, at RATE; gives when each commit returned."""
    committed: dict[str, int] = {}

    async def commit(appender: Appender) -> None:
        stream_id = new_id()
        fact = recorded(placed(), order_id=stream_id, event_id=new_id())
        once = Once("kaffa", "user:ana", str(stream_id), bytes(32))
        await appender.append(Append((fact,), (encode(fact),), once, b"{}"))
        committed[str(fact.event_id)] = time_ns()

    async with open_pool(dsn) as pool, Appender(dsn, pool) as appender, asyncio.TaskGroup() as tasks:
        began = monotonic()
        for number in range(events):
            await asyncio.sleep(max(0.0, began + number / RATE - monotonic()))
            tasks.create_task(commit(appender))
    return committed


def latencies(bench: Bench, relayed_to: str) -> list[dict[str, list[float]]]:
    """Give milliseconds from commit to topic: of each by itself, then of both while they share the machine."""
    relay: dict[str, tuple[str, Isolation]] = {
        "relay": (relayed_to, "read_uncommitted"),
        "relay, read committed": (relayed_to, "read_committed"),
    }
    with bench.relay(relayed_to):
        alone = warm_beat(bench, relay)
    peer: dict[str, tuple[str, Isolation]] = {"Debezium": ("debezium_alone", "read_uncommitted")}
    mark_start(bench.dsn)
    with bench.debezium("debezium_alone", linger_ms=0):
        alone |= warm_beat(bench, peer)
    mark_start(bench.dsn)
    peer = {"Debezium": ("debezium_beside", "read_uncommitted")}
    with bench.relay(relayed_to), bench.debezium("debezium_beside", linger_ms=0):
        return [alone, warm_beat(bench, relay | peer)]


def warm_beat(bench: Bench, watched: Mapping[str, tuple[str, Isolation]]) -> dict[str, list[float]]:
    beat(bench, watched, RATE * WARM_SECONDS)
    return beat(bench, watched, RATE * SECONDS)


def beat(bench: Bench, watched: Mapping[str, tuple[str, Isolation]], events: int) -> dict[str, list[float]]:
    """Commit events at a steady rate; returns when everybody has seen them all."""
    with ExitStack() as stack:
        watches = {
            name: stack.enter_context(bench.watching(prefix, events, isolation, new=True))
            for name, (prefix, isolation) in watched.items()
        }
        committed = uvloop.run(commit_steadily(bench.dsn, events))
        seen = {name: watch.seen() for name, watch in watches.items()}
    return {name: [(at - committed[event]) / 1e6 for at, ids in each for event in ids] for name, each in seen.items()}


def measure(events: int) -> None:
    with tempfile.TemporaryDirectory(prefix="orderflow-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        servers = ClusterServers(
            folder / "servers", names=(KAFKA, POSTGRESQL, VALKEY), postgres_settings={"wal_level": "logical"}
        )
        with servers:
            bench = Bench(servers, folder, len(log := stored_log.lives(events)))
            migrate(bench.dsn)
            mark_start(bench.dsn)
            stored_log.write(bench.dsn, log)
            del log
            rounds = [
                {
                    "relay": relayed(bench, f"relayed{number}"),
                    "memory": from_memory(bench, f"memory{number}"),
                    "debezium": tailed(bench, f"debezium{number}"),
                }
                for number in range(ROUNDS)
            ]
            rates = {name: median(each[name] for each in rounds) for name in rounds[0]}
            show(bench, rates, latencies(bench, f"relayed{ROUNDS - 1}"))


def show(bench: Bench, rates: dict[str, float], waits: list[dict[str, list[float]]]) -> None:
    relay, memory, peer = rates["relay"], rates["memory"], rates["debezium"]
    title = f"From the log to Kafka: {bench.events:,} stored events, median of {ROUNDS} rounds"
    table = Table("figure", "measured", "relay is", "goal", title=title)
    table.add_row("relay, from position 0", f"{relay:,.0f} events/s", "", ">= 30,000")
    table.add_row("the relay's producer, from memory", f"{memory:,.0f} events/s", f"{relay / memory:.2f}x", ">= 0.3x")
    table.add_row("Debezium, from its slot", f"{peer:,.0f} events/s", f"{relay / peer:.1f}x", ">= 2x")
    for how, measured in zip(("in turn", "both at once"), waits, strict=True):
        table.add_section()
        p99_of_peer = quantiles(measured["Debezium"], n=100)[98]
        for name, each in measured.items():
            p50, p99 = quantiles(each, n=100)[49], quantiles(each, n=100)[98]
            ratio, goal = (f"{p99 / p99_of_peer:.2f}x", "< 1x") if name != "Debezium" else ("", "")
            table.add_row(f"commit to topic, {how}: {name}", f"{p50:.1f} ms, {p99:.1f} ms", ratio, goal)
    note = f"Commit to topic: p50 and p99 at {RATE} events/s, seen by a plain consumer that reads uncommitted records "
    note += "unless said otherwise. The relay is transactional, Debezium is not."
    table.caption = note
    Console(width=110).print(table)


if __name__ == "__main__":
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
