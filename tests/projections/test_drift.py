"""Drift is found, told as a figure, and healed in a way that the live projector cannot undo."""

import asyncio
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from infra.event_log import Stored
from infra.guard import Guard
from projections.main import READ_MODELS
from projections.order_summary import ORDER_SUMMARIES
from projections.read_model import ReadModel
from projections.versions.drift import Drift, Drifting, Look
from tests.projections.conftest import stored_rows, write_log
from tests.projections.projecting import project
from tests.projections.story import FATES, an_id, told
from tests.projections.versioning import PREPARED, apply, run
from tests.waiting import eventually

pytestmark = pytest.mark.servers
Pool = AsyncConnectionPool[AsyncConnection[Any]]
every_model = pytest.mark.parametrize("model", READ_MODELS, ids=lambda model: model.name)
TAMPERED = {
    "order_summaries": "status = 'placed', total_amount = 7",
    "order_details": "total_amount = 7",
    "order_timeline": "actor = 'user:mallory'",
    "stock_levels": "reserved = reserved + 1",
    "products": 'price = \'{"amount": 1, "currency": "EUR"}\'',
    "sales_hours": "revenue = revenue + 1",
    "sales_products": "quantity = quantity - 1",
}


async def look(
    connection: AsyncConnection[Any], model: ReadModel[Any], *, sample: int = 400, heal: bool = False
) -> Drift:
    return await Drifting(connection, model, PREPARED.prepare).look(Look(sample, heal, Random(1)))


@every_model
async def test_rows_that_agree_are_no_drift(
    log: list[Stored], connection: AsyncConnection[Any], model: ReadModel[Any]
) -> None:
    drift = await look(connection, model)
    assert (drift.found.differing, drift.figure) == (0, 0)
    assert drift.found.rows == len(project(model, log))


@every_model
async def test_tampered_and_missing_rows_are_counted_and_healed(
    log: list[Stored], connection: AsyncConnection[Any], model: ReadModel[Any]
) -> None:
    one = f"(SELECT position FROM {model.name} ORDER BY position DESC LIMIT 1)"  # noqa: S608  # names of ours
    await connection.execute(f"UPDATE {model.name} SET {TAMPERED[model.name]} WHERE position = {one}".encode())  # noqa: S608
    await connection.execute(f"DELETE FROM {model.name} WHERE position <> {one}".encode())  # noqa: S608
    rows = len(project(model, log))
    drift = await look(connection, model)
    assert (drift.found.rows, drift.found.differing, drift.figure, drift.healed) == (rows, rows, 1.0, 0)
    assert await stored_rows(connection, model) != project(model, log)
    healed = await look(connection, model, heal=True)
    assert healed.healed == rows
    assert await stored_rows(connection, model) == project(model, log)
    assert (await look(connection, model)).found.differing == 0


async def test_a_sample_looks_at_some_streams_only(log: list[Stored], connection: AsyncConnection[Any]) -> None:
    assert log
    assert (await look(connection, ORDER_SUMMARIES, sample=1)).found.rows == 1


async def test_before_the_first_event_there_is_nothing_to_look_at(connection: AsyncConnection[Any]) -> None:
    drift = await look(connection, ORDER_SUMMARIES)
    assert (drift.streams, drift.found.rows, drift.figure) == (0, 0, 0)


async def test_what_the_live_projector_has_not_applied_is_no_drift(
    database: str, connection: AsyncConnection[Any]
) -> None:
    log = told(*FATES)
    write_log(database, log)
    await apply(connection, log[:50], reached=50)
    assert (await look(connection, ORDER_SUMMARIES)).found.differing == 0


async def test_healing_waits_for_a_batch_under_way_and_keeps_what_it_wrote(
    database: str, connection: AsyncConnection[Any]
) -> None:
    log = told("delivered")
    write_log(database, log)
    order_id = an_id("order", 0)
    last = next(each for each in reversed(log) if each.stream_id == order_id)
    before = [each for each in log if each is not last]
    await apply(connection, before, reached=last.position - 1)
    await connection.execute("UPDATE order_summaries SET item_count = 99")
    async with await AsyncConnection.connect(database, autocommit=True) as live:
        async with live.transaction():
            await Guard(live, "order_views").lock()
            healing = asyncio.create_task(look(connection, ORDER_SUMMARIES, heal=True))
            await _blocked(database)
            await apply(live, [last], reached=last.position)
        assert (await healing).healed == 1
    assert await stored_rows(connection, ORDER_SUMMARIES) == project(ORDER_SUMMARIES, log)


async def _blocked(dsn: str) -> None:
    """Wait until somebody waits for a row."""
    async with await AsyncConnection.connect(dsn, autocommit=True) as asking:

        async def look() -> bool:
            return await (await asking.execute("SELECT true FROM pg_locks WHERE NOT granted")).fetchone() is not None

        await eventually(look)


async def test_the_command_ends_with_1_until_it_is_healed(
    database: str, log: list[Stored], connection: AsyncConnection[Any], tmp_path: Path
) -> None:
    assert log
    await connection.execute("UPDATE order_summaries SET item_count = 99 WHERE order_id = %s", (an_id("order", 0),))
    asked = ("projection", "drift", "order_summaries", "--sample", "400")
    for options, code, healed in (((), 1, 0), (("--heal",), 0, 1), ((), 0, 0)):
        done = run(database, tmp_path, *asked, *options)
        assert done.returncode == code, done.stderr
        told_by = json.loads(done.stdout)
        assert told_by["healed"] == healed
        assert told_by["drift"] == told_by["differing"] / told_by["rows"]
