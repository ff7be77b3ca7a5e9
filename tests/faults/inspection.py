"""Looks at a stopped platform's data: the log itself, and whether every read model equals a fresh fold of it."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg import AsyncConnection, sql

from infra.event_log import Stored
from infra.local.servers import LocalServers
from projections.order_detail import ORDER_DETAILS
from projections.order_summary import ORDER_SUMMARIES
from projections.order_timeline import ORDER_TIMELINE
from projections.product_view import PRODUCTS
from projections.projector import Projector
from projections.read_model import ReadModel
from projections.sales import SALES_HOURS, SALES_PRODUCTS
from projections.stock_level import STOCK_LEVELS
from schemas.recorded import GENESIS, digest

MODELS: tuple[ReadModel[Any], ...] = (
    ORDER_SUMMARIES,
    ORDER_DETAILS,
    ORDER_TIMELINE,
    STOCK_LEVELS,
    PRODUCTS,
    SALES_HOURS,
    SALES_PRODUCTS,
)
_LOG = (
    "SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events"
    " ORDER BY notification_id"
)


@contextmanager
def database(data_dir: Path) -> Iterator[str]:
    """The DSN of a stopped platform's database."""
    with LocalServers(data_dir) as servers:
        yield servers.postgres_dsn


def whole_log(dsn: str) -> list[Stored]:
    with psycopg.connect(dsn) as connection, connection.cursor(binary=True) as cursor:
        return [Stored(*row) for row in cursor.execute(_LOG).fetchall()]


def broken_streams(log: list[Stored]) -> list[UUID]:
    """Give the streams whose versions are not 1 to n, or whose chain of hashes is broken."""
    streams: defaultdict[UUID, list[Stored]] = defaultdict(list)
    for stored in log:
        streams[stored.stream_id].append(stored)
    return [stream_id for stream_id, stream in streams.items() if not _is_whole(stream)]


def _is_whole(stream: list[Stored]) -> bool:
    versions = [stored.version for stored in stream]
    links = [GENESIS, *(digest(stored.state) for stored in stream)]
    named = [stored.recorded.prev for stored in stream]
    return versions == list(range(1, len(stream) + 1)) and named == links[:-1]


async def differing_tables(dsn: str, log: list[Stored]) -> list[str]:
    """Give the tables that hold anything else than a fold of the log from nothing. Changes nothing."""
    async with await AsyncConnection.connect(dsn) as connection:
        kept = {model.name: await _rows(connection, model.name) for model in MODELS}
        for model in MODELS:
            await connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(model.name)))
        for model in MODELS:
            await Projector(model).apply(connection, [each for each in log if each.category in model.categories])
        fresh = {model.name: await _rows(connection, model.name) for model in MODELS}
        await connection.rollback()
    return [name for name, rows in kept.items() if rows != fresh[name]]


async def _rows(connection: AsyncConnection[Any], table: str) -> list[str]:
    query = sql.SQL("SELECT to_jsonb(kept)::text FROM {} AS kept ORDER BY 1").format(sql.Identifier(table))
    return [str(row[0]) for row in await (await connection.execute(query)).fetchall()]
