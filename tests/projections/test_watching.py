"""A process looks for drift by itself, a little at a time, says what it found where people look, and heals nothing."""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from pydantic import SecretStr
from redis.asyncio import Redis
from rich.console import Console

from infra.event_log import EventLog, Stored
from infra.exclusive import Busy, exclusive
from infra.guard import Guard
from infra.live_keys import GENERATION, PREFIX
from infra.runtime import open_runtime
from infra.settings import Settings
from infra.status.database import figures
from infra.status.model import DriftStatus, Status
from infra.status.show import drawn
from projections.live import NAME, LiveFigures
from projections.main import service
from projections.order_summary import ORDER_SUMMARIES
from projections.stock_level import STOCK_LEVELS
from projections.versions import live_drift
from projections.versions.drift import Drifting, Look
from projections.versions.overview import SUBSCRIPTION_OF
from projections.versions.watching import Watch
from tests.projections.conftest import stored_rows, write_log
from tests.projections.story import FATES, Story, an_id, told
from tests.projections.versioning import apply, run
from tests.vault import unconnected, vault_file
from tests.waiting import eventually

pytestmark = pytest.mark.servers
Pool = AsyncConnectionPool[AsyncConnection[Any]]


@pytest.fixture
async def log(database: str, connection: AsyncConnection[Any], redis_client: Redis, pool: Pool) -> list[Stored]:
    """Applied by everything that follows the log."""
    story = Story(start=datetime.now(UTC) - timedelta(minutes=2), pace=timedelta(milliseconds=10))
    told_log = told(*FATES, story=story)
    write_log(database, told_log)
    await apply(connection, told_log, reached=len(told_log))
    await LiveFigures(redis_client, EventLog(pool)).keep(0)
    async with connection.transaction():
        guard = Guard(connection, NAME)
        await guard.open(len(told_log))
        await guard.applied({stored.stream_id: stored.version for stored in told_log if stored.category == "order"})
    return told_log


@pytest.fixture
def watch(pool: Pool, redis_client: Redis, log: list[Stored]) -> Watch:
    assert log
    return Watch(pool, redis_client, unconnected())


async def noted(dsn: str) -> dict[str, tuple[bool, int]]:
    return {each.projection: (each.rows > 0, each.differing) for each in (await figures(dsn)).drift}


async def test_where_everything_agrees_each_projection_is_noted_without_drift(watch: Watch, database: str) -> None:
    await watch.look()
    assert await noted(database) == dict.fromkeys(SUBSCRIPTION_OF, (True, 0))


async def test_nothing_is_left_on_the_connection_that_would_hide_a_serving_table(
    watch: Watch, connection: AsyncConnection[Any]
) -> None:
    await watch.look()
    cursor = await connection.execute("SELECT relname FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'")
    assert await cursor.fetchall() == []


async def test_rows_that_differ_are_counted_and_told_and_left_as_they_are(
    watch: Watch, database: str, connection: AsyncConnection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    await connection.execute("UPDATE stock_levels SET reserved = reserved + 1")
    await connection.execute("UPDATE sales_hours SET revenue = revenue + 1")
    before = await stored_rows(connection, STOCK_LEVELS)
    await watch.look()
    assert await stored_rows(connection, STOCK_LEVELS) == before
    found = await noted(database)
    assert found.pop("stock_levels")[1] > 0
    assert found == {**dict.fromkeys(found, (True, 0)), "sales_hours": (True, 1)}
    assert "rows differ from the log, in reserved. `orderflow projection drift stock_levels`" in caplog.text


@pytest.mark.parametrize("status", ["placed", None])
async def test_an_order_that_is_another_in_redis_is_found(
    watch: Watch, database: str, redis_client: Redis, monkeypatch: pytest.MonkeyPatch, status: str | None
) -> None:
    monkeypatch.setattr(live_drift, "_AGAIN_SECONDS", 0.0)
    generation = await redis_client.get(GENERATION)
    assert isinstance(generation, bytes)
    orders = [key async for key in redis_client.scan_iter(match=f"{PREFIX}:{generation.decode()}:order:*")]
    for order in orders:
        if status:
            await redis_client.hset(order, "status", status)
        else:
            await redis_client.delete(order)
    await watch.look()
    assert (await noted(database))["live_figures"][1] > 0


async def test_figures_that_are_away_are_not_wrong(watch: Watch, database: str, redis_client: Redis) -> None:
    await redis_client.flushdb()
    await watch.look()
    assert (await noted(database))["live_figures"] == (False, 0)


async def test_of_several_one_looks_at_a_time_and_not_again_soon(
    watch: Watch, database: str, pool: Pool, connection: AsyncConnection[Any]
) -> None:
    async with pool.connection() as other, exclusive(other, "drift"):
        with pytest.raises(Busy):
            await watch.look()
    await watch.look(unless_within=60)
    await connection.execute("UPDATE products SET name = 'changed'")
    await watch.look(unless_within=60)
    assert (await noted(database))["products"] == (True, 0)
    await connection.execute(
        "UPDATE drift_looks SET looked_at = now() - interval '1 hour' WHERE projection <> 'products'"
    )
    await watch.look(unless_within=60)
    assert (await noted(database))["products"][1] > 0


async def test_streams_that_are_too_long_are_left_out(connection: AsyncConnection[Any], log: list[Stored]) -> None:
    lengths = sorted(Counter(stored.stream_id for stored in log if stored.category == "stock").values())
    levels = Drifting(connection, STOCK_LEVELS)
    assert (await levels.look(Look(400))).streams == len(lengths)
    assert (await levels.look(Look(400, most=lengths[-1] - 1))).streams == len(lengths) - 1
    assert (await levels.look(Look(400, most=lengths[0] - 1))).streams == 0


async def test_the_projector_looks_by_itself(database: str, redis_url: str, log: list[Stored]) -> None:
    settings = Settings(
        postgres_dsn=SecretStr(database), redis_url=SecretStr(redis_url), vault_file=vault_file(), drift_every=0.1
    )
    assert log
    async with asyncio.TaskGroup() as tasks, open_runtime(settings, tasks) as runtime, service(runtime):

        async def all_noted() -> bool:
            return len(await noted(database)) == len(SUBSCRIPTION_OF)

        await eventually(all_noted)


async def test_a_look_by_hand_is_noted_and_shown(
    database: str, log: list[Stored], connection: AsyncConnection[Any], tmp_path: Path
) -> None:
    assert log
    await connection.execute("UPDATE order_summaries SET item_count = 99 WHERE order_id = %s", (an_id("order", 0),))
    rows = len(await stored_rows(connection, ORDER_SUMMARIES))
    for options, differing in (((), 1), (("--heal",), 0)):
        run(database, tmp_path, "projection", "drift", "order_summaries", "--sample", "400", *options)
        listed = [json.loads(line) for line in run(database, tmp_path, "projection", "list").stdout.splitlines()]
        told_by = {each["projection"]: (each["rows"], each["differing"]) for each in listed}
        assert told_by == {**dict.fromkeys(SUBSCRIPTION_OF, (None, None)), "order_summaries": (rows, differing)}


@pytest.mark.parametrize(("differing", "said"), [((0, 0), "all 2 0 70 3 min"), ((0, 4), "products 4 30 2 min")])
def test_status_shows_what_differs_or_that_nothing_does(differing: tuple[int, int], said: str) -> None:
    now = datetime.now(UTC)
    looks = (("sales_hours", 3, 40, differing[0]), ("products", 2, 30, differing[1]))
    drift = tuple(
        DriftStatus(projection=name, looked_at=now - timedelta(minutes=ago), rows=rows, differing=wrong)
        for name, ago, rows, wrong in looks
    )
    status = Status(
        profile="embedded",
        told_at=now,
        head=1,
        processes=(),
        servers=(),
        relay=None,
        subscriptions=(),
        outbox=(),
        queues=(),
        parked=(),
        drift=drift,
    )
    console = Console(width=200, record=True, file=StringIO())
    console.print(drawn(status))
    assert console.export_text().splitlines()[-2].split() == said.split()
