"""What is answered as stored is stored once, and what is not answered in time is answered as unavailable."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from uuid import uuid4

import psycopg
import pytest

from infra.appender import AlreadyDone, Appended, Appender, LogUnavailable
from infra.event_log import EventLog
from infra.group_commit import LOG_LOCK
from tests.appending import a_command, once, open_log, open_pool
from tests.cutting_proxy import cutting_proxy


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A short path: a socket's name may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="proxy-") as folder:
        yield Path(folder)


async def test_a_lost_reply_to_commit_is_not_noticed_by_the_callers(database: str, sockets: Path) -> None:
    async with (
        cutting_proxy(database, sockets) as (through, proxy),
        open_pool(database) as pool,
        Appender(through, pool) as appender,
    ):
        proxy.cuts = 1
        answers = await asyncio.gather(*(appender.append(a_command(uuid4(), events=2)) for _ in range(20)))
        assert proxy.cuts == 0
        assert answers == [Appended(position) for position in range(2, 42, 2)]
        assert await EventLog(pool).head() == 40


async def test_another_attempt_after_a_lost_reply_is_told_that_it_is_a_repeat(database: str, sockets: Path) -> None:
    async with (
        cutting_proxy(database, sockets) as (through, proxy),
        open_pool(database) as pool,
        Appender(through, pool) as appender,
    ):
        proxy.cuts, by = 1, once()
        await appender.append(a_command(uuid4(), by=by))
        assert await appender.append(a_command(uuid4(), by=by)) == AlreadyDone(1, b"answer")


async def test_a_server_that_stays_away_is_reported_within_the_bound(database: str, sockets: Path) -> None:
    async with (
        cutting_proxy(database, sockets) as (through, proxy),
        open_pool(database) as pool,
        Appender(through, pool) as appender,
    ):
        proxy.refusing = True
        began = monotonic()
        answers = await asyncio.gather(*(appender.append(a_command(uuid4())) for _ in range(3)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [LogUnavailable] * 3
        assert monotonic() - began < 7
        proxy.refusing = False
        assert await appender.append(a_command(uuid4())) == Appended(1)


async def test_a_terminated_backend_costs_no_caller_anything(database: str) -> None:
    async with open_log(database) as opened:
        await opened.appender.append(a_command(uuid4()))
        appending = asyncio.gather(*(opened.appender.append(a_command(uuid4())) for _ in range(2_000)))
        for _ in range(5):
            async with opened.pool.connection() as connection:
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND query LIKE 'NOTIFY%'"
                )
        assert {type(answer) for answer in await appending} == {Appended}
        assert len(await opened.log.read(after=0, limit=5_000)) == 2_001


async def test_a_lock_that_somebody_holds_is_reported_in_time_and_nothing_is_stored(database: str) -> None:
    async with open_log(database, lock_timeout=1.5) as opened:
        await opened.appender.append(a_command(uuid4()))
        with psycopg.connect(database) as other:
            other.execute("SELECT pg_advisory_xact_lock(%s)", (LOG_LOCK,))
            began = monotonic()
            answers = await asyncio.gather(
                *(opened.appender.append(a_command(uuid4())) for _ in range(1_500)), return_exceptions=True
            )
            assert {type(answer) for answer in answers} == {LogUnavailable}
            assert monotonic() - began < 3 * 1.5, "each batch has waited for itself"
        assert await opened.log.head() == 1
        assert isinstance(await opened.appender.append(a_command(uuid4())), Appended)
