"""How soon an accepted order can be read, and what the platform weighs: `python -m tests.benchmarks.bench_visible`."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles
from time import monotonic, perf_counter
from uuid import uuid4

import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from tests.benchmarks.platform_up import Up, up
from tests.benchmarks.wire import Wire

CONNECTIONS = 16
FLOOD_SECONDS = 5
PACED_SECONDS = 20
SETTLE_SECONDS = 120
SKUS = tuple(f"BENCH-{number}" for number in range(20))


def order(number: int) -> bytes:
    lines = [
        {"sku": SKUS[number % len(SKUS)], "quantity": 1},
        {"sku": SKUS[(number * 7 + 3) % len(SKUS)], "quantity": 2},
    ]
    if lines[0]["sku"] == lines[1]["sku"]:
        lines.pop()
    contact = {"name": "Bench Buyer", "email": "bench@mail.example", "address": "Rua do Teste 1"}
    return json.dumps({"contact": contact, "lines": lines, "payment_token": "tok_visa"}).encode()


async def stock_up(platform: Up) -> None:
    async with Wire(platform.write_url, platform.token) as write:
        for sku in SKUS:
            product = {"sku": sku, "name": sku, "price": {"amount": 1000, "currency": "EUR"}}
            listed = await write.post("/v1/products", json.dumps(product).encode(), str(uuid4()))
            received = await write.post(f"/v1/stock/{sku}/receipts", b'{"quantity": 1000000}', str(uuid4()))
            if (listed.status, received.status) != (201, 201):
                raise RuntimeError(f"stocking up failed: {listed} {received}")


async def flood(platform: Up) -> tuple[int, float, float]:
    """Place orders as fast as they are accepted; gives their count, and seconds until accepted and until mailed."""
    placed = 0
    began = monotonic()

    async def shopper() -> int:
        nonlocal placed
        last = 0
        async with Wire(platform.write_url, platform.token) as write:
            while monotonic() - began < FLOOD_SECONDS:
                answer = await write.post("/v1/orders", order(placed), str(uuid4()))
                if answer.status != 201:
                    raise RuntimeError(f"an order was refused: {answer}")
                placed += 1
                last = answer.json()["position"]
        return last

    await asyncio.gather(*(shopper() for _ in range(CONNECTIONS)))
    accepted = monotonic() - began
    await settled(platform, placed)
    return placed, accepted, monotonic() - began


async def settled(platform: Up, placed: int) -> None:
    """Wait until every order has been confirmed and its mail has been sent."""
    async with Wire(platform.query_url, platform.token) as query, Wire(platform.mail_url, platform.token) as mail:
        done = (0, 0)
        deadline = monotonic() + SETTLE_SECONDS
        while monotonic() < deadline:
            figures, mails = await query.get("/v1/dashboard"), await mail.get("/messages")
            confirmed = figures.json()["orders_by_status"]["confirmed"] if figures.status == 200 else 0
            done = (confirmed, max((caught["mail_id"] for caught in mails.json()["messages"]), default=0))
            if min(done) >= placed:
                return
            await asyncio.sleep(0.2)
    raise RuntimeError(f"of {placed} orders, {done} were confirmed and mailed after {SETTLE_SECONDS} s")


async def paced(platform: Up, rate: float) -> list[float]:
    """Place orders at a steady rate, on time even when answers are late; seconds from accepted to readable, each."""
    idle: asyncio.LifoQueue[tuple[Wire, Wire]] = asyncio.LifoQueue()
    waits: list[float] = []

    async def one(number: int) -> None:
        write, query = await idle.get()
        answer = await write.post("/v1/orders", order(number), str(uuid4()))
        accepted = perf_counter()
        body = answer.json()
        seen = await query.get(f"/v1/orders/{body['order_id']}?min_position={body['position']}&wait=5")
        waits.append(perf_counter() - accepted)
        if (answer.status, seen.status) != (201, 200):
            raise RuntimeError(f"{answer} {seen}")
        idle.put_nowait((write, query))

    wires = [(Wire(platform.write_url, platform.token), Wire(platform.query_url, platform.token)) for _ in range(64)]
    for pair in wires:
        await asyncio.gather(*(wire.__aenter__() for wire in pair))
        idle.put_nowait(pair)
    async with asyncio.TaskGroup() as orders:
        began = monotonic()
        for number in range(int(rate * PACED_SECONDS)):
            await asyncio.sleep(max(0.0, began + number / rate - monotonic()))
            orders.create_task(one(number))
    for pair in wires:
        await asyncio.gather(*(wire.__aexit__(None, None, None) for wire in pair))
    return waits


def megabytes(pid: int) -> float:
    """Give the memory of a process and its children, shared pages divided among those who share them (PSS)."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(_pss(member.pid) for member in family) / 2**20


def _pss(pid: int) -> int:
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return int(fields["Pss"].split()[0]) * 1024


def percentile(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1] * 1000


async def measure() -> None:
    table = Table("figure", "measured", "goal", title="Accepted to visible, and memory at rest")
    with up() as platform:
        await asyncio.sleep(5)
        table.add_row("memory of the platform at rest", f"{megabytes(platform.pid):.0f} MB", "< 400 MB")
        await stock_up(platform)
        placed, accepted, mailed = await flood(platform)
        table.add_row("orders accepted while flooded", f"{placed / accepted:.0f} /s", "")
        sustained = placed / mailed
        table.add_row("orders sustained, accepted to mailed", f"{sustained:.0f} /s", "")
        report(table, f"visible at {sustained / 2:.0f} /s, right after the flood", await paced(platform, sustained / 2))
        table.add_row("memory after the load", f"{megabytes(platform.pid):.0f} MB", "")
    with up() as platform:
        await stock_up(platform)
        report(table, f"visible at {sustained / 2:.0f} /s, a fresh platform", await paced(platform, sustained / 2))
    Console().print(table)


def report(table: Table, what: str, waits: Sequence[float]) -> None:
    table.add_row(f"{what}, p50", f"{percentile(waits, 50):.1f} ms", "< 25 ms")
    table.add_row(f"{what}, p99", f"{percentile(waits, 99):.1f} ms", "< 100 ms")


if __name__ == "__main__":
    uvloop.run(measure())
