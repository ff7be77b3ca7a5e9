"""How soon a cluster serves again after a kill -9: `python -m tests.benchmarks.bench_recovery`."""

import json
import os
import signal
import tempfile
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen
from uuid import uuid4

from rich.console import Console
from rich.table import Table

from infra.local.ready import Ready
from tests.benchmarks.bench_visible import SKUS, order
from tests.running import Up, running

ROLE_GOAL, SERVER_GOAL = 15, 30
PATIENCE_SECONDS = 90
POLL_SECONDS = 0.05


def ask(ready: Ready, url: str, body: bytes | None = None, key: str = "") -> dict[str, Any] | None:
    """Give the answer; None when there is none or a refusal."""
    headers = {"authorization": f"Bearer {ready.token}", "content-type": "application/json", "idempotency-key": key}
    try:
        with urlopen(Request(url, body, headers), timeout=10) as answer:  # noqa: S310  # our own server
            return dict(json.load(answer))
    except (URLError, HTTPException, OSError, ValueError):
        return None


def insist(look: Callable[[], dict[str, Any] | None]) -> dict[str, Any]:
    until = monotonic() + PATIENCE_SECONDS
    while (found := look()) is None:
        if monotonic() > until:
            raise RuntimeError(f"not served again within {PATIENCE_SECONDS} s")
        sleep(POLL_SECONDS)
    return found


def stock_up(ready: Ready) -> None:
    for sku in SKUS:
        product = {"sku": sku, "name": sku, "price": {"amount": 1000, "currency": "EUR"}}
        post(ready, "/v1/products", json.dumps(product).encode())
        post(ready, f"/v1/stock/{sku}/receipts", b'{"quantity": 1000000}')


def post(ready: Ready, path: str, body: bytes) -> dict[str, Any]:
    key = str(uuid4())
    return insist(lambda: ask(ready, ready.write_url + path, body, key))


def order_seen(ready: Ready, number: int) -> None:
    """Place an order and wait until the query API shows it as confirmed, and its mail is there."""
    buyer = f"{uuid4()}@mail.example"
    order_id = post(ready, "/v1/orders", order(number).replace(b"bench@mail.example", buyer.encode()))["order_id"]

    def confirmed() -> dict[str, Any] | None:
        seen = ask(ready, f"{ready.query_url}/v1/orders/{order_id}")
        return seen if seen and seen["status"] == "confirmed" else None

    def mailed() -> dict[str, Any] | None:
        caught = ask(ready, f"{ready.mail_url}/messages?to={buyer}")
        return caught if caught and caught["messages"] else None

    insist(confirmed)
    insist(mailed)


def recovery(up: Up, pid: int, number: int) -> float:
    """Kill a process; gives seconds until an order that is placed right after is confirmed, visible and mailed."""
    began = monotonic()
    os.kill(pid, signal.SIGKILL)
    order_seen(up.ready, number)
    return monotonic() - began


def wait_until_whole(up: Up, roles: set[str], servers: set[str], number: int) -> None:
    insist(lambda: {} if up.now().services.keys() >= roles and up.now().servers.keys() >= servers else None)
    order_seen(up.ready, number)


def measure(up: Up) -> Table:
    title = "From kill -9 until an order placed right after is confirmed, visible and mailed, one after the other"
    table = Table("killed", "serves again after", "goal", title=title)
    ready = up.now()
    stock_up(ready)
    roles, servers = set(ready.services), set(ready.servers)
    victims = [(name, ROLE_GOAL) for name in sorted(roles)] + [(name, SERVER_GOAL) for name in sorted(servers)]
    for number, (name, goal) in enumerate(victims):
        wait_until_whole(up, roles, servers, number)
        now = up.now()
        took = recovery(up, {**now.services, **now.servers}[name], number)
        table.add_row(name, f"{took:.1f} s", f"< {goal} s")
    return table


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="orderflow-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with running(folder, cluster=True) as up:
            Console(width=110).print(measure(up))


if __name__ == "__main__":
    main()
