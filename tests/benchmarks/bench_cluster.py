"""What an order takes and costs through Kafka and RabbitMQ: `python -m tests.benchmarks.bench_cluster`."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf
from pathlib import Path
from time import monotonic, perf_counter
from uuid import uuid4

import uvloop
from rich.console import Console
from rich.table import Table

from infra.local.ready import Ready
from tests.benchmarks.bench_visible import CONNECTIONS, FLOOD_SECONDS, order, stock_up
from tests.benchmarks.costs import cpu_seconds, megabytes
from tests.benchmarks.listening import Heard, listening
from tests.benchmarks.platform_up import Up as Urls
from tests.benchmarks.stages import head, stages, transactions
from tests.benchmarks.wire import Wire
from tests.running import running

RATE = 100
WARM_SECONDS = 5
SECONDS = 20
PART_SECONDS = 15
SETTLE_SECONDS = 120
GOAL_P50, GOAL_P99 = 200, 800


@dataclass(frozen=True, slots=True)
class Load:
    """What a steady load has met."""

    placed: int
    waits: list[float]
    """Seconds from accepted to confirmed and visible; infinite for an order that this was not told of."""
    answers: list[float]
    """Seconds until an order was accepted."""
    cpu: dict[str, float]
    """CPU seconds by process."""
    transactions: int
    """Committed by the database meanwhile."""
    stages: Mapping[str, list[float]]


@dataclass(frozen=True, slots=True)
class Rest:
    """What a platform takes that has nothing to do."""

    cores: dict[str, float]
    memory: dict[str, float]


def urls_of(ready: Ready) -> Urls:
    return Urls(ready.write_url, ready.query_url, ready.mail_url, ready.token, ready.pid)


def processes(ready: Ready) -> dict[str, int]:
    return {**ready.servers, **ready.services}


def spent(ready: Ready) -> dict[str, float]:
    """Give CPU seconds by process; what listens to the stream and places the orders is in this one."""
    alone = {"(supervisor)": ready.pid, "(this benchmark)": os.getpid()}
    return {**cpu_seconds(processes(ready)), **cpu_seconds(alone, family=False)}


async def steady(ready: Ready, rate: float, lasts: float) -> Load:
    """Place orders at a steady rate, on time even when answers are late, then wait until all are visible."""
    accepted: dict[str, float] = {}
    answers: list[float] = []
    idle: asyncio.LifoQueue[Wire] = asyncio.LifoQueue()

    async def one(number: int) -> None:
        wire = await idle.get()
        began = perf_counter()
        answer = await wire.post("/v1/orders", order(number), str(uuid4()))
        now = perf_counter()
        if answer.status != 201:
            raise RuntimeError(f"an order was refused: {answer}")
        accepted[answer.json()["order_id"]] = now
        answers.append(now - began)
        idle.put_nowait(wire)

    wires = [Wire(ready.write_url, ready.token) for _ in range(64)]
    for wire in wires:
        idle.put_nowait(await wire.__aenter__())
    after, before, committed = head(ready.postgres_dsn), spent(ready), transactions(ready.postgres_dsn)
    async with listening(ready.query_url, ready.token) as heard:
        async with asyncio.TaskGroup() as orders:
            began = monotonic()
            for number in range(int(rate * lasts)):
                await asyncio.sleep(max(0.0, began + number / rate - monotonic()))
                orders.create_task(one(number))
        await told(heard, accepted)
    cpu = {name: seconds - before[name] for name, seconds in spent(ready).items()}
    for wire in wires:
        await wire.__aexit__(None, None, None)
    waits = [heard.at.get(order_id, inf) - at for order_id, at in accepted.items()]
    committed = transactions(ready.postgres_dsn) - committed
    return Load(len(accepted), waits, answers, cpu, committed, stages(ready.postgres_dsn, after))


async def told(heard: Heard, accepted: Mapping[str, float]) -> None:
    deadline = monotonic() + SETTLE_SECONDS
    while monotonic() < deadline:
        if accepted.keys() <= heard.at.keys() or heard.resets:
            return
        await asyncio.sleep(0.05)


async def flood(ready: Ready, confirmed_before: int) -> tuple[float, float, float]:
    """Place orders as fast as they are accepted; gives the rates of accepting, confirming and mailing."""
    placed = 0
    began = monotonic()

    async def shopper() -> None:
        nonlocal placed
        async with Wire(ready.write_url, ready.token) as write:
            while monotonic() - began < FLOOD_SECONDS:
                answer = await write.post("/v1/orders", order(placed), str(uuid4()))
                if answer.status != 201:
                    raise RuntimeError(f"an order was refused: {answer}")
                placed += 1

    mailed_before = await mailed(ready)
    await asyncio.gather(*(shopper() for _ in range(CONNECTIONS)))
    accepted = monotonic() - began
    await settled(ready, confirmed=confirmed_before + placed)
    confirmed = monotonic() - began
    await settled(ready, mails=mailed_before + placed)
    return placed / accepted, placed / confirmed, placed / (monotonic() - began)


async def settled(ready: Ready, *, confirmed: int = 0, mails: int = 0) -> None:
    deadline = monotonic() + SETTLE_SECONDS
    while await confirmed_orders(ready) < confirmed or (mails and await mailed(ready) < mails):
        if monotonic() > deadline:
            raise RuntimeError(f"not all of {confirmed} orders were confirmed or of {mails} mails sent in time")
        await asyncio.sleep(0.2)


async def confirmed_orders(ready: Ready) -> int:
    async with Wire(ready.query_url, ready.token) as query:
        figures = await query.get("/v1/dashboard")
    return int(figures.json()["orders_by_status"]["confirmed"]) if figures.status == 200 else 0


async def mailed(ready: Ready) -> int:
    async with Wire(ready.mail_url, ready.token) as mail:
        messages = await mail.get("/messages")
    return max((caught["mail_id"] for caught in messages.json()["messages"]), default=0)


async def at_rest(ready: Ready) -> Rest:
    await asyncio.sleep(WARM_SECONDS)
    before = spent(ready)
    await asyncio.sleep(WARM_SECONDS)
    cores = {name: (seconds - before[name]) / WARM_SECONDS for name, seconds in spent(ready).items()}
    return Rest(cores, megabytes(processes(ready)))


async def measure(ready: Ready, rate: float, console: Console) -> None:
    table = Table("figure", "measured", "goal", title="An order through the cluster: accepted to confirmed and visible")
    table.caption = "Told by the stream of the query API, once the order list shows the order, at most every 100 ms."
    rest = await at_rest(ready)
    await stock_up(urls_of(ready))
    await steady(ready, rate, WARM_SECONDS)
    load = await steady(ready, rate, SECONDS)
    report(table, f"{rate:.0f} orders/s", load, (f"< {GOAL_P50} ms", f"< {GOAL_P99} ms"))
    await settled(ready, confirmed=(done := int(rate * (WARM_SECONDS + SECONDS))), mails=done)
    accepting, confirming, mailing = await flood(ready, done)
    table.add_row("orders accepted while flooded", f"{accepting:.0f} /s", "")
    table.add_row("orders sustained, accepted to confirmed", f"{confirming:.0f} /s", "")
    table.add_row("orders sustained, accepted to mailed", f"{mailing:.0f} /s", "")
    for share in (0.5, 0.8):
        part = await steady(ready, confirming * share, PART_SECONDS)
        report(table, f"{share:.0%} of that, {confirming * share:.0f} orders/s", part, ("", ""))
    console.print(table)
    console.print(stage_table(load, rate))
    console.print(cost_table(load, rate, rest, megabytes(processes(ready))))


def report(table: Table, what: str, load: Load, goals: tuple[str, str]) -> None:
    for percent, goal in zip((50, 99), goals, strict=True):
        took = percentile(load.waits, percent)
        table.add_row(f"{what}, p{percent}", "not in time" if took == inf else f"{took:.0f} ms", goal)


def percentile(seconds: Sequence[float], percent: int) -> float:
    """Give milliseconds."""
    return sorted(seconds)[ceil(len(seconds) * percent / 100) - 1] * 1000


def stage_table(load: Load, rate: float) -> Table:
    table = Table("stage", "p50 ms", "p99 ms", title=f"Where the time goes at {rate:.0f} orders/s, as the log tells it")
    for name, seconds in {"POST until answered": load.answers, **load.stages}.items():
        table.add_row(name, *times(seconds))
    return table


def times(seconds: Sequence[float]) -> tuple[str, str]:
    return f"{percentile(seconds, 50):.1f}", f"{percentile(seconds, 99):.1f}"


def cost_table(load: Load, rate: float, rest: Rest, loaded: Mapping[str, float]) -> Table:
    columns = "process", "CPU ms an order", "of one core", "at rest", "MB after the load", "at rest"
    table = Table(*columns, title=f"What it costs at {rate:.0f} orders/s")
    table.caption = f"{load.transactions / load.placed:.1f} transactions of the database an order"
    costs = dict(sorted(load.cpu.items(), key=lambda item: -item[1]))
    for name, cost in {**costs, "all": sum(costs.values())}.items():
        cores, memory, after = (
            each.get(name, sum(each.values()) if name == "all" else None) for each in (rest.cores, rest.memory, loaded)
        )
        table.add_row(
            name,
            f"{cost / load.placed * 1000:.2f}",
            f"{cost / max(load.placed / rate, 1):.0%}",
            f"{cores:.0%}",
            "" if after is None else f"{after:.0f}",
            "" if memory is None else f"{memory:.0f}",
        )
    return table


def main(rate: float) -> None:
    with tempfile.TemporaryDirectory(prefix="orderflow-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with running(folder, cluster=True) as up:
            uvloop.run(measure(up.ready, rate, Console(width=110)))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else RATE)
