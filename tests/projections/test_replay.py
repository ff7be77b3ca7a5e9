"""A replay gives what the read models were, in a schema of its own, whatever interrupts it, and does nothing else."""

import asyncio
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection, sql

from infra.event_log import Stored
from infra.instants import position_at
from projections.main import READ_MODELS
from projections.order_summary import ORDER_SUMMARIES
from projections.versions.reading import Steps
from projections.versions.replay import Replay, Stretch, Unusable, usable
from tests.projections.conftest import rows_in, write_log
from tests.projections.projecting import project
from tests.projections.story import FATES, NOON, Story, an_id, logs, told
from tests.projections.versioning import PREPARED
from tests.running import command, environment
from tests.vault import vault_file

pytestmark = pytest.mark.servers


class Killed(Exception):  # noqa: N818  # what happened to the process
    pass


def rewrite_log(dsn: str, log: Sequence[Stored]) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("TRUNCATE stored_events, dead_letters")
    write_log(dsn, log)


def killed_after(pages: int) -> Any:  # noqa: ANN401  # a callback
    left = [pages]

    def advanced(position: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed(position)

    return advanced


def never(position: int) -> None:
    del position


async def replayed(dsn: str, schema: str, stretch: Stretch, steps: Steps, kills: Sequence[int]) -> dict[str, Any]:
    """Replay with a new connection after each kill, and give every table."""
    for advanced in (*map(killed_after, kills), never):
        async with await AsyncConnection.connect(dsn, autocommit=True) as connection:
            try:
                replay = await Replay(connection, schema, READ_MODELS, stretch, steps).open(restart=False)
                await replay.run(advanced)
            except Killed:
                continue
            return {model.name: await rows_in(connection, model, schema) for model in READ_MODELS}
    raise AssertionError


@settings(max_examples=15)
@given(
    log=logs(),
    steps=st.builds(Steps, page=st.integers(1, 20), checkpoint=st.integers(1, 40), prepare=st.just(PREPARED.prepare)),
    kills=st.lists(st.integers(0, 6), max_size=4),
    part=st.floats(0, 1),
)
def test_an_interrupted_replay_of_a_prefix_is_its_fold(
    module_database: str, log: list[Stored], steps: Steps, kills: list[int], part: float
) -> None:
    rewrite_log(module_database, log)
    until = max(1, int(part * len(log)))
    schema = f"scratch_{uuid4().hex}"
    found = asyncio.run(replayed(module_database, schema, Stretch(0, until), steps, kills))
    assert found == {model.name: project(model, log[:until]) for model in READ_MODELS}


@settings(max_examples=5)
@given(log=logs())
def test_one_tenants_part_is_its_own_fold(module_database: str, log: list[Stored]) -> None:
    rewrite_log(module_database, log)
    schema = f"scratch_{uuid4().hex}"
    found = asyncio.run(replayed(module_database, schema, Stretch(0, len(log), "bean-co"), PREPARED, ()))
    its = [stored for stored in log if stored.recorded.tenant_id == "bean-co"]
    assert found == {model.name: project(model, its) for model in READ_MODELS}


async def test_as_of_an_instant_is_the_fold_of_what_had_happened_by_then(
    database: str, connection: AsyncConnection[Any]
) -> None:
    log = told(*FATES)
    write_log(database, log)
    assert await position_at(connection, NOON) == 0
    for stored in log[::9]:
        at = stored.recorded.occurred_at
        assert await position_at(connection, at) == stored.position
        assert await position_at(connection, at, inclusive=False) == stored.position - 1
        assert await position_at(connection, at + Story.pace / 2) == stored.position


async def test_an_instant_is_found_past_events_that_cannot_be_read(
    database: str, connection: AsyncConnection[Any]
) -> None:
    log = told(*FATES)
    garbage = [b"{}", b"nothing", b'{"occurred_at": "never"}', b"\xff", b'{"occurred_at": "2026-03-01T00:00:00"}']
    ruined = [each._replace(state=garbage[at % 5]) if at % 7 < 3 else each for at, each in enumerate(log)]
    write_log(database, [Stored(*each) for each in ruined])
    for at in range(3, len(log), 7):
        assert await position_at(connection, log[at].recorded.occurred_at) == log[at].position


async def test_rows_that_began_before_the_stretch_are_left_out(database: str, connection: AsyncConnection[Any]) -> None:
    log = told("delivered", "delivered")
    write_log(database, log)
    begin = next(each.position for each in log if each.stream_id == an_id("order", 1))
    replay = await Replay(connection, "scratch", [ORDER_SUMMARIES], Stretch(begin - 2, len(log)), PREPARED).open(
        restart=False
    )
    done = await replay.run(never)
    assert done.left_out == 1
    rows = await rows_in(connection, ORDER_SUMMARIES, "scratch")
    assert rows == {key: row for key, row in project(ORDER_SUMMARIES, log).items() if key == (an_id("order", 1),)}


@pytest.mark.parametrize("tenant", [None, "acme"])
async def test_a_stream_stops_at_an_event_that_cannot_be_read(
    database: str, connection: AsyncConnection[Any], tenant: str | None
) -> None:
    log = told("delivered", "delivered")
    poisoned = an_id("order", 0)
    at = next(i for i, stored in enumerate(log) if stored.stream_id == poisoned and stored.version == 2)
    write_log(database, [*log[:at], Stored(log[at].position, poisoned, 2, log[at].topic, b"{}"), *log[at + 1 :]])
    replay = await Replay(connection, "scratch", READ_MODELS, Stretch(0, len(log), tenant), PREPARED).open(
        restart=False
    )
    done = await replay.run(never)
    assert done.unreadable == 1
    held = [each for each in log if each.stream_id != poisoned or each.version < 2]
    for model in READ_MODELS:
        assert await rows_in(connection, model, "scratch") == project(model, held)


async def contents(connection: AsyncConnection[Any]) -> dict[str, Any]:
    """Everything that the database holds outside of a scratch schema."""
    tables = await (
        await connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    ).fetchall()
    found = {}
    for (name,) in tables:
        query = sql.SQL("SELECT * FROM {} AS whole ORDER BY whole::text").format(sql.Identifier("public", name))
        found[name] = await (await connection.execute(query)).fetchall()
    return found


async def test_nothing_else_changes(database: str, connection: AsyncConnection[Any]) -> None:
    log = told(*FATES)
    write_log(database, log)
    await connection.execute("LISTEN orderflow_events")
    before = await contents(connection)
    replay = await Replay(connection, "scratch", READ_MODELS, Stretch(0, len(log)), PREPARED).open(restart=False)
    await replay.run(never)
    assert await contents(connection) == before
    assert [notice async for notice in connection.notifies(timeout=0.2)] == []


@pytest.mark.parametrize("name", ["public", "rebuilt", "previous", "pg_temp", "information_schema", 'a"b', "", "A"])
def test_a_schema_that_is_not_for_scratch_is_refused(name: str) -> None:
    with pytest.raises(Unusable):
        usable(name)


class Commands:
    def __init__(self, dsn: str, folder: Path) -> None:
        self._environment = {
            **environment(folder),
            "ORDERFLOW_POSTGRES_DSN": dsn,
            "ORDERFLOW_VAULT_FILE": str(vault_file()),
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments), env=self._environment, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture
def commands(database: str, tmp_path: Path) -> Commands:
    write_log(database, told("delivered"))
    return Commands(database, tmp_path)


def test_the_command_tells_programs_what_it_made(commands: Commands) -> None:
    done = commands.run("replay", "--to", "audit", "--projection", "order_summaries")
    assert done.returncode == 0, done.stderr
    end = len(told("delivered"))
    assert json.loads(done.stdout) == {
        "schema": "audit",
        "position": end,
        "rows": {"order_summaries": 1},
        "left_out": 0,
        "unreadable_streams": 0,
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--to", "public"), "public is not a scratch schema"),
        (("--to", "foreign"), "exists and was not made by a replay"),
        (("--to", "audit", "--projection", "nothing"), "There is no projection 'nothing'"),
        (("--to", "audit", "--projection", "live_figures"), "live_figures is in Redis"),
        (("--to", "audit", "--until", "99999"), "The log has positions 1 to"),
        (("--to", "audit", "--until", "1999-01-01"), "The log holds nothing that happened so early"),
        (("--to", "audit", "--until", "2999-01-01"), "has not come yet"),
        (("--to", "audit", "--from", "5", "--until", "3"), "There is nothing between --from and --until"),
        (("--to", "audit", "--until", "yesterday"), "neither a position nor an instant"),
    ],
)
def test_bad_input_gets_one_clear_line(commands: Commands, database: str, options: tuple[str, ...], said: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute('CREATE SCHEMA "foreign"')
    done = commands.run("replay", *options)
    assert done.returncode != 0
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
