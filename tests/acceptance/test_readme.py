"""The README's commands, run in its order and as they stand there."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest

from infra.local.ready import Ready, read
from schemas.commands import ReleaseStock, encode, queue_of
from schemas.ids import new_id
from tests.acceptance.driver import Shop
from tests.command_examples import sent
from tests.running import FREE_PORTS, READY_SECONDS, STOP_SECONDS, environment, until

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
WORN_OUT = "INSERT INTO outbox (message_id, queue, body, attempts) VALUES (%s, %s, %s, 9)"
PARKED = "SELECT 1 FROM dead_letters WHERE message_id = %s AND status = 'parked'"
MADE = [line for block in BLOCKS for line in block.splitlines() if line.startswith("make ")]
TYPED = [block for block in BLOCKS if not block.startswith("make ")]
TYPED_SECONDS = 400
"""Some forty commands, each a process of its own beside the other workers of the suite."""


@dataclass(frozen=True, slots=True)
class Made:
    """A platform that `make` started."""

    process: subprocess.Popen[str]
    output: Path
    ready: Ready
    settings: dict[str, str]


def make(line: str, folder: Path, *options: str) -> Iterator[Made]:
    """Run a line of the README with options added; stop at the end what it started."""
    ready_file, output = folder / "ready.json", folder / "output"
    arguments = " ".join(("--data", str(folder / "data"), "--ready-file", str(ready_file), *FREE_PORTS, *options))
    settings = {**environment(folder), "ARGS": arguments}
    with output.open("w") as out:
        process = subprocess.Popen(line.split(), cwd=ROOT, env=settings, stdout=out, stderr=out, text=True)

    def ready() -> Ready | None:
        assert process.poll() is None, output.read_text()
        return read(ready_file)

    made = Made(process, output, until(ready, READY_SECONDS), settings)
    try:
        yield made
    finally:
        os.kill(made.ready.pid, signal.SIGINT)
        assert process.wait(STOP_SECONDS) == 0


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    assert MADE[0] == "make up"
    yield from make(MADE[0], tmp_path_factory.mktemp("readme"))


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Made]:
    assert "make demo" in MADE
    yield from make("make demo", tmp_path, "--orders", "12", "--rate", "20")


@pytest.mark.timeout(TYPED_SECONDS + 20)
def test_every_command_works_in_the_order_of_the_readme(up: Made) -> None:
    script = "set -euo pipefail\n" + "\n".join(TYPED)
    for port, url in (
        (8080, up.ready.write_url),
        (8081, up.ready.query_url),
        (8082, up.ready.mail_url),
        (8083, up.ready.acquirer_url),
    ):
        script = script.replace(f"http://127.0.0.1:{port}", url)
    done = subprocess.run(
        ["/bin/bash", "-c", script.replace("curl -s ", "curl -sS --fail ")],
        cwd=ROOT,
        env=up.settings,
        capture_output=True,
        text=True,
        timeout=TYPED_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is confirmed; payment authorised." in done.stdout
    assert '"status":"shipped"' in done.stdout
    assert '"status":"ORDER_STATUS_PLACED"' in done.stdout


def test_the_demo_lives_its_orders_and_tells_how_they_are(demo: Made, http: httpx.Client) -> None:
    told = until(lambda: _last_line(demo.output), 90)
    counted = {status.replace(" ", "_"): int(count) for count, status in re.findall(r"(\d+) ([a-z ]+)", told)}
    orders = Shop(http, demo.ready, demo.ready.tenant_id).staff.get("/v1/orders", limit=200)["items"]
    assert counted == Counter(order["status"] for order in orders)
    assert sum(counted.values()) == 12


def test_a_parked_command_is_seen_and_put_back(up: Made, http: httpx.Client) -> None:
    shop = Shop(http, up.ready, up.ready.tenant_id)
    sku = shop.product(stock=5)
    order_id = shop.staff.place([(sku, 1)])
    shop.staff.until_status(order_id, "confirmed")
    release = sent(ReleaseStock(sku=sku, order_id=order_id), cause=new_id())
    release = release.model_copy(update={"tenant_id": shop.tenant_id})
    [put_back] = [block for block in BLOCKS if "dlq retry" in block]
    with psycopg.connect(up.ready.postgres_dsn, autocommit=True) as connection:
        connection.execute(WORN_OUT, (release.message_id, queue_of(release.command), encode(release)))
        until(lambda: connection.execute(PARKED, (release.message_id,)).fetchone())
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    settings = {**up.settings, "PATH": path}
    told = subprocess.run(
        ["/bin/bash", "-euc", put_back], env=settings, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert told.startswith("Dead letters")
    assert "adds stock.released.v1" in told
    assert '"outcome":"succeed"' in told
    shop.until_stock(sku, (5, 0))


@pytest.mark.parametrize("line", MADE)
def test_every_target_is_there(line: str) -> None:
    subprocess.run([*line.split(), "--dry-run"], cwd=ROOT, capture_output=True, check=True)


def _last_line(output: Path) -> str | None:
    return next((line for line in output.read_text().splitlines() if line.startswith("The demo is over")), None)
