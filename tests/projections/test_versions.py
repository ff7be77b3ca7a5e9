"""A version that is built beside the serving one equals it, serves after the switch, and goes back."""

import asyncio
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from pydantic import SecretStr

from infra.event_log import Stored
from infra.exclusive import Busy, exclusive
from infra.guard import Guard
from infra.settings import Settings
from projections.main import READ_MODELS
from projections.order_summary import ORDER_SUMMARIES
from projections.projector import Projector
from projections.read_model import ReadModel
from projections.sales import SALES_HOURS
from projections.versions.beside import steps_for
from projections.versions.reading import Steps
from projections.versions.switching import NoVersion, TooDifferent, Versions
from schemas.ids import payment_id
from tests.projections.conftest import rows_in, stored_rows, write_log
from tests.projections.projecting import project
from tests.projections.story import FATES, an_id, logs, told
from tests.projections.test_service import assert_tables_equal, caught_up, running
from tests.projections.versioning import PREPARED, apply, run
from tests.running import command, environment, until
from tests.vault import vault_file, with_words

pytestmark = pytest.mark.servers
Pool = AsyncConnectionPool[AsyncConnection[Any]]


class Killed(Exception):  # noqa: N818  # what happened to the process
    pass


def ignore(position: int) -> None:
    del position


def kill(position: int) -> None:
    raise Killed(position)


async def rebuilt_and_switched(dsn: str, log: Sequence[Stored], cuts: Sequence[int], steps: Steps) -> None:
    """Rebuild in pieces, each killed after its first page, while the live projector goes on from cut to cut."""
    async with (
        AsyncConnectionPool(dsn, kwargs={"autocommit": True}, open=False) as pool,
        pool.connection() as connection,
    ):
        done = 0
        for cut in cuts:
            await apply(connection, log[done:cut], reached=log[cut - 1].position if cut else 0)
            done = cut
            for model in READ_MODELS:
                try:
                    await Versions(pool, model, steps).rebuild(kill)
                except Killed:
                    continue
        for model in READ_MODELS:
            versions = Versions(pool, model, steps)
            await versions.rebuild(ignore)
            found = await versions.switch(0)
            assert found.differing == 0
            assert await stored_rows(connection, model) == project(model, log[:done])
        await apply(connection, log[done:], reached=len(log))
        for model in READ_MODELS:
            assert await stored_rows(connection, model) == project(model, log)
            await Versions(pool, model, steps).rollback()
            assert await stored_rows(connection, model) == project(model, log)


@settings(max_examples=10)
@given(
    log=logs(),
    parts=st.lists(st.floats(0, 1), min_size=1, max_size=3),
    steps=st.builds(Steps, page=st.integers(5, 30), checkpoint=st.integers(1, 40), prepare=st.just(PREPARED.prepare)),
)
def test_rebuilt_in_pieces_beside_live_traffic_equals_live_and_fold(
    module_database: str, log: list[Stored], parts: list[float], steps: Steps
) -> None:
    with psycopg.connect(module_database) as connection:
        connection.execute("TRUNCATE stored_events, subscription_positions, subscription_versions")
        connection.execute("DROP SCHEMA IF EXISTS rebuilt, previous CASCADE")
        for model in READ_MODELS:
            connection.execute(f"TRUNCATE {model.name}".encode())
    write_log(module_database, log)
    cuts = sorted(int(part * len(log)) for part in parts)
    asyncio.run(rebuilt_and_switched(module_database, log, cuts, steps))


async def test_every_projection_is_rebuilt_and_switched_while_events_come(
    database: str, redis_url: str, connection: AsyncConnection[Any], pool: Pool
) -> None:
    log = told(*FATES, *FATES)
    known = Settings(postgres_dsn=SecretStr(database), vault_file=vault_file())
    third = len(log) // 3
    write_log(database, log[:third])
    async with running(database, redis_url) as runtime:
        await caught_up(runtime, connection, log[third - 1].position)

        async def write() -> None:
            for start in range(third, 2 * third, 5):
                write_log(database, log[start : min(start + 5, 2 * third)])
                await asyncio.sleep(0.01)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(write())
            for model in READ_MODELS:
                versions = Versions(pool, model, steps_for([model], pool, known))
                await versions.rebuild(ignore)
                await versions.switch(0)
        write_log(database, log[2 * third :])
        await caught_up(runtime, connection, log[-1].position)
        await assert_tables_equal(connection, log)
        for model in READ_MODELS:
            await Versions(pool, model, PREPARED).rollback()
        await assert_tables_equal(connection, log)
    assert await parked(connection) == []


async def parked(connection: AsyncConnection[Any]) -> list[Any]:
    return await (await connection.execute("SELECT consumer, version, status FROM dead_letters")).fetchall()


async def test_queries_never_fail_while_versions_are_switched(
    database: str, pool: Pool, log: list[Stored], connection: AsyncConnection[Any]
) -> None:
    orders = len(project(ORDER_SUMMARIES, log))
    versions = Versions(pool, ORDER_SUMMARIES, PREPARED)
    await versions.rebuild(ignore)
    seen: set[Any] = set()

    async def ask(query: bytes) -> None:
        async with await AsyncConnection.connect(database, autocommit=True) as asking:
            while True:
                seen.add(await (await asking.execute(query)).fetchone())
                await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        asking = [
            tasks.create_task(ask(query))
            for query in (
                b"SELECT count(*) FROM order_summaries WHERE version > 0",
                b"SELECT sum(orders) FROM customer_histories",
            )
        ]
        await versions.switch(0)
        for _ in range(3):
            await versions.rollback()
            await versions.switch(0)
        for task in asking:
            task.cancel()
    assert seen == {(orders,)}
    await connection.execute("TRUNCATE order_summaries")
    assert await (await connection.execute("SELECT count(*) FROM customer_histories")).fetchone() == (0,)


async def test_a_broken_row_is_named_with_the_event_behind_it_and_refused(
    pool: Pool, log: list[Stored], connection: AsyncConnection[Any]
) -> None:
    order_id = an_id("order", FATES.index("delivered"))
    versions = Versions(pool, ORDER_SUMMARIES, PREPARED)
    await versions.rebuild(ignore)
    query = "UPDATE order_summaries SET captured_amount = 1, status = 'placed' WHERE order_id = %s"
    await connection.execute(query, (order_id,))
    found = await versions.compare()
    assert (found.differing, dict(found.columns)) == (1, {"captured_amount": 1, "status": 1})
    [difference] = found.examples
    assert (difference.key, set(difference.columns)) == ((order_id,), {"captured_amount", "status"})
    behind = [
        next(s for s in log if s.stream_id == payment_id(order_id) and s.topic == "payment.captured.v1"),
        next(s for s in log if s.stream_id == order_id and s.topic == "order.completed.v1"),
    ]
    assert [(each.position, each.stream_id, each.version, each.type) for each in difference.events] == [
        (each.position, str(each.stream_id), each.version, each.topic) for each in behind
    ]
    with pytest.raises(TooDifferent):
        await versions.switch(0)
    assert (await stored_rows(connection, ORDER_SUMMARIES))[order_id,].captured_amount == 1
    await versions.switch(1)
    assert await stored_rows(connection, ORDER_SUMMARIES) == project(ORDER_SUMMARIES, log)
    await versions.rollback()
    assert (await stored_rows(connection, ORDER_SUMMARIES))[order_id,].captured_amount == 1


@pytest.mark.parametrize("model", READ_MODELS, ids=lambda model: model.name)
async def test_missing_and_additional_rows_are_differences(
    pool: Pool, log: list[Stored], connection: AsyncConnection[Any], model: ReadModel[Any]
) -> None:
    rows = len(project(model, log))
    versions = Versions(pool, model, PREPARED)
    await versions.rebuild(ignore)
    await connection.execute(f"DELETE FROM {model.name}".encode())  # noqa: S608  # a name of ours
    found = await versions.compare(examples=3)
    assert (found.rows, found.differing, len(found.examples)) == (rows, rows, min(rows, 3))
    assert {each.missing_in for each in found.examples} == {"serving"}
    assert all(each.events for each in found.examples)


async def test_a_switch_compares_what_came_since_too(
    database: str, pool: Pool, log: list[Stored], connection: AsyncConnection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = Versions(pool, ORDER_SUMMARIES, PREPARED)
    await versions.rebuild(ignore)
    [late] = [each for each in told(*FATES, "short") if each.position == len(log) + 1]
    compared = versions._compared  # noqa: SLF001  # the only place between the comparison and the switch

    async def then_one_more(*args: Any) -> Any:  # noqa: ANN401  # of the method
        found = await compared(*args)
        write_log(database, [late])
        await apply(connection, [late], reached=late.position)
        await connection.execute("UPDATE order_summaries SET line_count = 99 WHERE order_id = %s", (late.stream_id,))
        return found

    monkeypatch.setattr(versions, "_compared", then_one_more)
    with pytest.raises(TooDifferent):
        await versions.switch(0)


async def test_two_at_work_on_one_projection_exclude_each_other(pool: Pool, log: list[Stored]) -> None:
    assert log
    async with pool.connection() as other, exclusive(other, "order_summaries"):
        with pytest.raises(Busy):
            await Versions(pool, ORDER_SUMMARIES, PREPARED).rebuild(ignore)
        await Versions(pool, SALES_HOURS, PREPARED).rebuild(ignore)
    await Versions(pool, ORDER_SUMMARIES, PREPARED).rebuild(ignore)


async def test_there_is_nothing_to_switch_to_before_a_rebuild_or_back_to_before_a_switch(pool: Pool) -> None:
    for work in (
        Versions(pool, ORDER_SUMMARIES, PREPARED).switch(0),
        Versions(pool, ORDER_SUMMARIES, PREPARED).rollback(),
    ):
        with pytest.raises(NoVersion):
            await work


async def test_a_version_of_another_form_of_the_table_is_not_gone_on_with(
    pool: Pool, log: list[Stored], connection: AsyncConnection[Any]
) -> None:
    versions = Versions(pool, ORDER_SUMMARIES, PREPARED)
    await versions.rebuild(ignore)
    await connection.execute("ALTER TABLE order_summaries ADD COLUMN new_text text")
    with pytest.raises(NoVersion):
        await versions.switch(0)
    await versions.rebuild(ignore)
    await versions.switch(0)
    assert await stored_rows(connection, ORDER_SUMMARIES) == project(ORDER_SUMMARIES, log)


async def form(connection: AsyncConnection[Any]) -> list[Any]:
    """Tables with their indexes, constraints and options, by name."""
    query = """
        SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
            FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT 'table', relname, relpersistence::text, reloptions::text
            FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')
        UNION ALL SELECT 'view', viewname, '', definition FROM pg_views WHERE schemaname = 'public'
        ORDER BY 1, 2, 3, 4"""
    return await (await connection.execute(query)).fetchall()


async def test_a_switched_table_has_the_indexes_options_and_views_of_the_one_before(
    pool: Pool, log: list[Stored], connection: AsyncConnection[Any]
) -> None:
    assert log
    before = await form(connection)
    for model in READ_MODELS:
        versions = Versions(pool, model, PREPARED)
        await versions.rebuild(ignore)
        await versions.switch(0)
    assert await form(connection) == before


async def test_parked_events_are_left_out_and_come_with_their_release(
    pool: Pool, database: str, connection: AsyncConnection[Any]
) -> None:
    log = told(*FATES)
    write_log(database, log)
    order_id = an_id("order", FATES.index("delivered"))
    held = [each for each in log if each.stream_id == order_id and each.version >= 3]
    await apply(connection, [each for each in log if each not in held], reached=len(log))
    guard = Guard(connection, "order_views")
    await guard.park(held[0], error="ZeroDivisionError", attempts=3)
    for each in held[1:]:
        await guard.hold(each)
    versions = Versions(pool, ORDER_SUMMARIES, PREPARED)
    await versions.rebuild(ignore)
    assert (await versions.compare()).differing == 0
    await Projector(*READ_MODELS[:3]).apply(connection, with_words(held))
    await guard.applied({order_id: held[-1].version})
    await connection.execute("UPDATE dead_letters SET status = 'retried'")
    assert (await versions.switch(0)).differing == 0
    assert await stored_rows(connection, ORDER_SUMMARIES) == project(ORDER_SUMMARIES, log)


async def test_events_that_overtook_the_position_are_there_once(
    pool: Pool, database: str, connection: AsyncConnection[Any]
) -> None:
    """Kafka brings streams in any order: the position stays before the first that is missing."""
    log = told("delivered", "cancelled", "delivered")
    write_log(database, log)
    late = an_id("order", 1)
    first = next(each.position for each in log if each.stream_id == late)
    await apply(connection, [each for each in log if each.stream_id != late], reached=first - 1)
    models: tuple[ReadModel[Any], ...] = (ORDER_SUMMARIES, SALES_HOURS)
    for model in models:
        versions = Versions(pool, model, PREPARED)
        await versions.rebuild(ignore)
        assert (await versions.switch(0)).differing == 0
    await apply(connection, [each for each in log if each.stream_id == late], reached=len(log))
    for model in models:
        versions = Versions(pool, model, PREPARED)
        await versions.rebuild(ignore)
        assert (await versions.compare()).differing == 0
        assert await stored_rows(connection, model) == project(model, log)
        await versions.rollback()
        assert await stored_rows(connection, model) == project(model, log)


async def test_a_killed_rebuild_is_gone_on_with(
    database: str, connection: AsyncConnection[Any], tmp_path: Path, log: list[Stored]
) -> None:
    settings = {
        **environment(tmp_path),
        "ORDERFLOW_POSTGRES_DSN": database,
        "ORDERFLOW_VAULT_FILE": str(vault_file()),
    }
    async with connection.transaction():
        await connection.execute("LOCK TABLE stored_events IN ACCESS EXCLUSIVE MODE")
        rebuild = await asyncio.create_subprocess_exec(
            *command("projection", "rebuild", "order_summaries"), env=settings
        )
        await asyncio.to_thread(until, lambda: waiting(database))
        rebuild.kill()
        await rebuild.wait()
    done = await asyncio.to_thread(run, database, tmp_path, "projection", "rebuild", "order_summaries")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["position"] == len(log)
    assert await rows_in(connection, ORDER_SUMMARIES, "rebuilt") == project(ORDER_SUMMARIES, log)


def waiting(dsn: str) -> bool | None:
    """Somebody waits for the log."""
    query = "SELECT true FROM pg_locks WHERE NOT granted AND relation = 'stored_events'::regclass"
    with psycopg.connect(dsn) as connection:
        return True if connection.execute(query).fetchone() else None


async def test_the_command_line_shows_compares_switches_and_goes_back(
    database: str, connection: AsyncConnection[Any], tmp_path: Path, log: list[Stored]
) -> None:
    def told_by(*arguments: str, code: int = 0) -> list[Any]:
        done = run(database, tmp_path, "projection", *arguments)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    assert [each["rebuilt"] for each in told_by("list")] == [None] * (len(READ_MODELS) + 1)
    [lag] = told_by("lag", "order_summaries")
    assert (lag["position"], lag["behind"], lag["seconds"]) == (len(log), 0, 0)
    told_by("rebuild", "order_summaries")
    [agreed] = told_by("compare", "order_summaries")
    assert agreed["differing"] == 0
    await connection.execute("UPDATE order_summaries SET item_count = 99 WHERE order_id = %s", (an_id("order", 0),))
    [different] = told_by("compare", "order_summaries", code=1)
    assert different["examples"][0]["key"] == [str(an_id("order", 0))]
    told_by("switch", "order_summaries", code=3)
    told_by("switch", "order_summaries", "--tolerance", "1")
    assert next(each["previous"] for each in told_by("list")) == len(log)
    told_by("rollback", "order_summaries")
    told_by("rollback", "order_summaries", code=3)
    told_by("compare", "nothing", code=1)


def test_an_event_that_cannot_be_folded_is_named_in_one_line(database: str, tmp_path: Path, log: list[Stored]) -> None:
    order_id = an_id("order", 0)
    first = next(each for each in log if each.stream_id == order_id)
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE stored_events SET state = '{}' WHERE notification_id = %s", (first.position,))
    done = run(database, tmp_path, "projection", "rebuild", "order_summaries")
    assert done.returncode == 1
    assert f"position {first.position}, version 1 of stream {order_id}: ValidationError" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_figures_without_redis_are_one_line(database: str, tmp_path: Path, log: list[Stored]) -> None:
    assert log
    settings = {
        **environment(tmp_path),
        "ORDERFLOW_POSTGRES_DSN": database,
        "ORDERFLOW_REDIS_URL": "redis://localhost:1",
    }
    done = subprocess.run(
        command("projection", "compare", "live_figures"), env=settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 4
    assert done.stderr == "Redis cannot be reached, or was started again meanwhile. Try again.\n"
