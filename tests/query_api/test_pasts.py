"""What was computed of the past is shared, bounded and made again, and computing it keeps nobody waiting."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from pydantic import SecretStr

from infra.event_log import Stored
from infra.exclusive import exclusive
from infra.replaying import Asked, Outcome, Replays, past_schemas
from infra.settings import Settings
from projections.main import READ_MODELS
from projections.order_summary import ORDER_SUMMARIES
from projections.versions.place import Place
from query_api import pasts
from query_api.history.states import NotYetBegun
from query_api.pasts import TABLES, Past, PastBeingComputed, PastNotComputed, Pasts, name_of
from tests.projections.conftest import rows_in, write_log
from tests.projections.projecting import project
from tests.projections.story import FATES, NOON, told
from tests.vault import vault_file
from tests.waiting import eventually

pytestmark = pytest.mark.servers
Pool = AsyncConnectionPool[AsyncConnection[Any]]
TENANT = "acme"


@pytest.fixture
async def pool(database: str) -> Any:  # noqa: ANN401  # a pool, opened in the loop of the test
    async with AsyncConnectionPool(database, kwargs={"autocommit": True}, min_size=2, max_size=6, open=False) as opened:
        yield opened


@pytest.fixture
def log(database: str) -> list[Stored]:
    written = told(*FATES)
    write_log(database, written)
    return written


@dataclass
class Recorder:
    """Does what the real one does, and remembers what it was asked; or says that it did otherwise."""

    real: Replays
    outcomes: list[Outcome] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    at_once: int = 0

    async def run(self, asked: Asked) -> Outcome:
        self.asked.append(asked)
        assert not self.at_once
        self.at_once += 1
        try:
            return self.outcomes.pop() if self.outcomes else await self.real.run(asked)
        finally:
            self.at_once -= 1


@pytest.fixture
def recorder(database: str) -> Recorder:
    return Recorder(Replays(Settings(postgres_dsn=SecretStr(database), vault_file=vault_file())))


@dataclass
class Filled:
    """Makes schemas at once: as the real one leaves them, but empty."""

    dsn: str

    async def run(self, asked: Asked) -> Outcome:
        async with await AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            place = Place(connection, asked.schema)
            await place.make()
            for table in asked.tables:
                values = (table, asked.until)
                await place.execute("INSERT INTO {schema}.builds (projection, position) VALUES (%s, %s)", values)
        return "done"


async def begun(questions: Pasts, pool: Pool, at: datetime) -> str:
    """Ask without waiting, and give the schema once the replay has made it."""
    with pytest.raises(PastBeingComputed):
        await questions.at(TENANT, at, within=0)

    async def made() -> str | None:
        async with pool.connection() as connection:
            return next(iter(await past_schemas(connection)), None)

    found = await eventually(made, 30)
    assert found is not None
    return found


def instants(log: Sequence[Stored], number: int) -> list[datetime]:
    return [stored.recorded.occurred_at for stored in log[:: len(log) // number]][:number]


async def test_questions_about_one_position_share_one_replay(pool: Pool, log: list[Stored], recorder: Recorder) -> None:
    at = log[40].recorded.occurred_at
    here, elsewhere = Pasts(pool, recorder), Pasts(pool, recorder)
    found = await asyncio.gather(*(here.at(TENANT, at, within=30) for _ in range(3)))
    assert set(found) == {Past(found[0].schema, log[40].position), await elsewhere.at(TENANT, at, within=0)}
    assert [(asked.tenant_id, asked.until) for asked in recorder.asked] == [(TENANT, log[40].position)]
    async with pool.connection() as connection:
        rows = await rows_in(connection, ORDER_SUMMARIES, found[0].schema)
    assert rows == project(ORDER_SUMMARIES, log[:41])


async def test_one_is_computed_after_the_other(pool: Pool, log: list[Stored], recorder: Recorder) -> None:
    questions = Pasts(pool, recorder)
    wanted = instants(log, 3)[1:]
    found = await asyncio.gather(*(questions.at(TENANT, at, within=60) for at in wanted))
    assert len({past.schema for past in found}) == len(recorder.asked) == len(wanted)


async def test_before_the_first_event_there_is_nothing(pool: Pool, log: list[Stored], recorder: Recorder) -> None:
    assert log
    with pytest.raises(NotYetBegun):
        await Pasts(pool, recorder).at(TENANT, NOON, within=0)
    assert recorder.asked == []


async def test_an_interrupted_replay_is_gone_on_with(pool: Pool, log: list[Stored], recorder: Recorder) -> None:
    questions, at = Pasts(pool, recorder), log[-1].recorded.occurred_at
    await begun(questions, pool, at)
    await questions.close()
    assert recorder.at_once == 0
    past = await Pasts(pool, recorder).at(TENANT, at, within=30)
    async with pool.connection() as connection:
        assert await rows_in(connection, ORDER_SUMMARIES, past.schema) == project(ORDER_SUMMARIES, log)


async def test_ctrl_c_reaches_whoever_asked_and_not_the_replay(
    pool: Pool, log: list[Stored], recorder: Recorder
) -> None:
    questions = Pasts(pool, recorder)
    await begun(questions, pool, log[-1].recorded.occurred_at)
    groups = _groups_of_replays()
    await questions.close()
    assert groups
    assert os.getpgrp() not in groups


def _groups_of_replays() -> set[int]:
    ours = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return {os.getpgid(int(each)) for each in ours if b"\0replay\0" in Path(f"/proc/{each}/cmdline").read_bytes()}


async def test_a_replay_that_fails_is_not_tried_again_at_once(
    pool: Pool, log: list[Stored], recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder.outcomes = ["failed"]
    questions, at = Pasts(pool, recorder), log[-1].recorded.occurred_at
    for _ in range(2):
        with pytest.raises(PastNotComputed):
            await questions.at(TENANT, at, within=30)
    assert len(recorder.asked) == 1
    monkeypatch.setattr(pasts, "monotonic", lambda: asyncio.get_running_loop().time() + 10**9)
    assert (await questions.at(TENANT, at, within=30)).position == log[-1].position


async def test_while_somebody_else_computes_it_this_one_waits(
    pool: Pool, log: list[Stored], recorder: Recorder
) -> None:
    questions, at = Pasts(pool, recorder), log[-1].recorded.occurred_at
    schema = name_of(TENANT, log[-1].position)
    async with pool.connection() as other, exclusive(other, f"schema {schema}"):
        with pytest.raises(PastBeingComputed):
            await questions.at(TENANT, at, within=3)
        assert recorder.asked
    assert (await questions.at(TENANT, at, within=30)).schema == schema


async def test_the_newest_are_kept_and_what_is_worked_on_and_what_is_not_ours(
    pool: Pool, database: str, log: list[Stored]
) -> None:
    questions = Pasts(pool, Filled(database))
    first, *others = instants(log, pasts.KEPT + 3)
    oldest = await questions.at(TENANT, first, within=5)
    async with pool.connection() as connection, pool.connection() as other:
        await connection.execute("CREATE SCHEMA past_sales")
        async with exclusive(other, f"schema {oldest.schema}"):
            found = [await questions.at(TENANT, at, within=5) for at in others]
        kept = {oldest.schema, *(past.schema for past in found[-pasts.KEPT :])}
        assert set(await past_schemas(connection)) == kept
        place = Place(connection, found[-1].schema)
        await place.execute("UPDATE {schema}.builds SET moved_at = now() - interval '2 h'")
        again = await questions.at(TENANT, others[0], within=5)
        assert set(await past_schemas(connection)) == kept - {found[-1].schema, oldest.schema} | {again.schema}
        await connection.execute("DROP SCHEMA past_sales")  # it is somebody's own, and still there


async def test_what_was_dropped_is_computed_again(
    pool: Pool, log: list[Stored], recorder: Recorder, database: str
) -> None:
    questions, at = Pasts(pool, recorder), log[-1].recorded.occurred_at
    past = await questions.at(TENANT, at, within=30)
    with psycopg.connect(database) as connection:
        connection.execute(f"DROP SCHEMA {past.schema} CASCADE".encode())
    assert await questions.at(TENANT, at, within=30) == past
    assert len(recorder.asked) == 2


def test_only_tables_that_a_replay_fills_are_asked_for() -> None:
    assert set(TABLES) <= {model.name for model in READ_MODELS}
