"""What storing an order costs over HTTP, beside a plain peer: `python -m tests.benchmarks.bench_place_order`."""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles
from time import monotonic, perf_counter, sleep
from uuid import uuid4

import psycopg
import uvloop
from rich.console import Console
from rich.table import Table

from infra.issuer import ensure_keys, mint
from infra.local.servers import LocalServers
from infra.migrate import migrate
from tests.benchmarks.order_servers import settings_for
from tests.benchmarks.wire import Wire

CONNECTIONS = 64
WARM_SECONDS = 1.0
SECONDS = 4.0
ROUNDS = 3
READY_SECONDS = 20
NAMES = {
    "unstored": "authenticate, validate, answer",
    "ours": "POST /v1/orders",
    "peer": "FastAPI + eventsourcing.Application",
}
ORDER = json.dumps(
    {
        "contact": {"name": "Ana Lucia", "email": "ana@example.org", "address": "Rua do Sol 1, Lisboa"},
        "lines": [{"sku": "COFFEE", "quantity": 2}, {"sku": "TEA", "quantity": 1}],
        "payment_token": "tok_visa",
    }
).encode()


@contextmanager
def served(name: str, dsn: str, keys: Path, folder: Path) -> Iterator[str]:
    """Run one of the servers in its own process; gives its URL."""
    ready = folder / f"{name}.url"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.order_servers", name, dsn, str(keys), str(ready)],
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = monotonic() + READY_SECONDS
        while not ready.exists():
            if process.poll() is not None or monotonic() > deadline:
                raise RuntimeError(f"the server {name} did not start")
            sleep(0.05)
        yield ready.read_text()
    finally:
        process.kill()
        process.wait()


async def list_products(url: str, token: str) -> None:
    async with Wire(url, token) as wire:
        for sku in ("COFFEE", "TEA"):
            product = {"sku": sku, "name": sku, "price": {"amount": 1250, "currency": "EUR"}}
            await wire.post("/v1/products", json.dumps(product).encode(), str(uuid4()))


async def load(url: str, token: str, seconds: float) -> tuple[float, float]:
    """Place orders over all connections; gives orders per second, and the 99th percentile in milliseconds."""
    took: list[float] = []
    ends = perf_counter() + seconds

    async def shopper() -> None:
        async with Wire(url, token) as wire:
            while (began := perf_counter()) < ends:
                placed = await wire.post("/v1/orders", ORDER, str(uuid4()))
                if placed.status != 201:
                    raise RuntimeError(f"not placed: {placed}")
                took.append(perf_counter() - began)

    async with asyncio.TaskGroup() as shoppers:
        for _ in range(CONNECTIONS):
            shoppers.create_task(shopper())
    return len(took) / seconds, quantiles(took, n=100)[98] * 1000


def measure(urls: dict[str, str], token: str) -> dict[str, tuple[float, float]]:
    """Give the median of rounds in which every server has its turn, so that a noisy moment hits all alike."""
    uvloop.run(list_products(urls["ours"], token))
    rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in urls}
    for url in urls.values():
        uvloop.run(load(url, token, WARM_SECONDS))
    for _ in range(ROUNDS):
        for name, url in urls.items():
            rounds[name].append(uvloop.run(load(url, token, SECONDS)))
    return {name: (median(rate for rate, _ in each), median(p99 for _, p99 in each)) for name, each in rounds.items()}


def show(measured: dict[str, tuple[float, float]]) -> None:
    ours = measured["ours"][0]
    table = Table(title=f"Placing orders over HTTP, {CONNECTIONS} connections, one server process each")
    for column in ("server", "orders/s", "p99 ms", "ours is"):
        table.add_column(column, justify="left" if column == "server" else "right")
    for name, (rate, p99) in measured.items():
        table.add_row(NAMES[name], f"{rate:,.0f}", f"{p99:.1f}", f"{ours / rate:.2f}x")
    Console().print(table)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="orderflow-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        servers = stack.enter_context(LocalServers(folder / "servers"))
        migrate(servers.postgres_dsn)
        with psycopg.connect(servers.postgres_dsn, autocommit=True) as admin:
            admin.execute("CREATE DATABASE peer")
        keys = folder / "keys"
        ensure_keys(keys)
        token = mint(keys, settings_for("", keys), tenant_id="kaffa", subject="bench")
        dsns = dict.fromkeys(NAMES, servers.postgres_dsn) | {"peer": servers.dsn_of("peer")}
        urls = {name: stack.enter_context(served(name, dsn, keys, folder)) for name, dsn in dsns.items()}
        show(measure(urls, token))


if __name__ == "__main__":
    main()
