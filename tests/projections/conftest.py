"""Connections for the tests that need real servers."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection, sql
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis

from infra.event_log import Stored
from projections.read_model import Key, ReadModel
from tests.projections.story import FATES, told
from tests.projections.versioning import apply


@pytest.fixture
async def connection(database: str) -> AsyncIterator[AsyncConnection[Any]]:
    async with await AsyncConnection.connect(database, autocommit=True) as connected:
        yield connected


@pytest.fixture
async def pool(database: str) -> AsyncIterator[AsyncConnectionPool[AsyncConnection[Any]]]:
    async with AsyncConnectionPool(database, kwargs={"autocommit": True}, min_size=2, open=False) as opened:
        yield opened


@pytest.fixture
async def redis_client(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
async def log(database: str, connection: AsyncConnection[Any]) -> list[Stored]:
    """A log with orders of every fate, applied by the live projector."""
    told_log = told(*FATES)
    write_log(database, told_log)
    await apply(connection, told_log, reached=len(told_log))
    return told_log


def write_log(dsn: str, log: Sequence[Stored]) -> None:
    """Put a told log into the event log, positions included."""
    copy = "COPY stored_events (originator_id, originator_version, topic, state, notification_id) FROM STDIN"
    with psycopg.connect(dsn) as writer, writer.cursor() as cursor, cursor.copy(copy) as rows:
        for stored in log:
            rows.write_row((stored.stream_id, stored.version, stored.topic, stored.state, stored.position))


async def stored_rows(connection: AsyncConnection[Any], model: ReadModel[Any]) -> dict[Key, Any]:
    """Read a whole table."""
    return await rows_in(connection, model, "public")


async def rows_in(connection: AsyncConnection[Any], model: ReadModel[Any], schema: str) -> dict[Key, Any]:
    """Read a whole table of a schema."""
    query = sql.SQL("SELECT {} FROM {}").format(
        sql.SQL(", ").join(map(sql.Identifier, model.row.columns())), sql.Identifier(schema, model.name)
    )
    async with connection.cursor(row_factory=class_row(model.row)) as cursor:
        await cursor.execute(query)
        rows = await cursor.fetchall()
    return {tuple(getattr(row, column) for column in model.key): row for row in rows}
