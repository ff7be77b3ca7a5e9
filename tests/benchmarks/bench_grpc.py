"""Placing orders over gRPC, one by one and in bulk, beside HTTP: `python -m tests.benchmarks.bench_grpc`."""

import json
import tempfile
from asyncio import TaskGroup
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import perf_counter
from uuid import uuid4

import grpc
import uvloop
from orderflow.commands.v1 import order_command_service_pb2 as pb
from orderflow.commands.v1.order_command_service_pb2_grpc import OrderCommandServiceStub
from rich.console import Console
from rich.table import Table

from infra.issuer import ensure_keys, mint
from infra.local.servers import LocalServers
from infra.migrate import migrate
from infra.rpc.values import filled
from tests.benchmarks.bench_place_order import CONNECTIONS, ORDER, list_products, load, served
from tests.benchmarks.order_servers import settings_for

SECONDS = 4.0
ROUNDS = 3
IN_A_CALL = 500
CALLS_AT_ONCE = 2
REQUEST = filled(pb.PlaceOrderRequest, json.loads(ORDER))


async def over_http(url: str, _target: str, token: str) -> float:
    return (await load(url, token, SECONDS))[0]


async def one_by_one(_url: str, target: str, token: str) -> float:
    """Give orders per second of unary calls, as many at a time as HTTP has connections."""
    placed, ends = 0, perf_counter() + SECONDS
    async with grpc.aio.insecure_channel(target) as channel, TaskGroup() as shoppers:
        stub = OrderCommandServiceStub(channel)

        async def shopper() -> None:
            nonlocal placed
            while perf_counter() < ends:
                metadata = (("authorization", f"Bearer {token}"), ("idempotency-key", str(uuid4())))
                await stub.PlaceOrder(REQUEST, metadata=metadata)
                placed += 1

        for _ in range(CONNECTIONS):
            shoppers.create_task(shopper())
    return placed / SECONDS


async def in_bulk(_url: str, target: str, token: str) -> float:
    """Give orders per second of calls that bring many."""
    placed, began = 0, perf_counter()
    ends = began + SECONDS
    async with grpc.aio.insecure_channel(target) as channel, TaskGroup() as shops:
        stub = OrderCommandServiceStub(channel)

        async def shop() -> None:
            nonlocal placed
            while perf_counter() < ends:
                answer = await stub.PlaceOrders(_orders(), metadata=(("authorization", f"Bearer {token}"),))
                if not all(result.HasField("placed") for result in answer.results):
                    raise RuntimeError(f"not placed: {answer.results}")
                placed += len(answer.results)

        for _ in range(CALLS_AT_ONCE):
            shops.create_task(shop())
    return placed / (perf_counter() - began)


def _orders() -> Iterator[pb.PlaceOrdersRequest]:
    for _ in range(IN_A_CALL):
        yield pb.PlaceOrdersRequest(idempotency_key=str(uuid4()), order=REQUEST)


WAYS: dict[str, Callable[[str, str, str], Awaitable[float]]] = {
    "POST /v1/orders": over_http,
    "PlaceOrder": one_by_one,
    f"PlaceOrders, {IN_A_CALL} in a call, {CALLS_AT_ONCE} calls at once": in_bulk,
}
GOALS = ("", ">= 1x", ">= 5x")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="orderflow-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        servers = stack.enter_context(LocalServers(folder / "servers"))
        migrate(servers.postgres_dsn)
        ensure_keys(folder / "keys")
        token = mint(folder / "keys", settings_for("", folder / "keys"), tenant_id="kaffa", subject="bench")
        url, target = stack.enter_context(served("both", servers.postgres_dsn, folder / "keys", folder)).split()
        uvloop.run(list_products(url, token))
        rates: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(ROUNDS + 1):  # the first is not counted
            for way, measure in WAYS.items():
                rates[way].append(uvloop.run(measure(url, target, token)))  # type: ignore[arg-type]  # a coroutine
    medians = {way: median(each[1:]) for way, each in rates.items()}
    table = Table("", "orders/s", "against HTTP", "goal", title="Placing orders, one server process")
    for (way, rate), goal in zip(medians.items(), GOALS, strict=True):
        table.add_row(way, f"{rate:,.0f}", f"{rate / medians['POST /v1/orders']:.2f}x", goal)
    Console().print(table)


if __name__ == "__main__":
    main()
