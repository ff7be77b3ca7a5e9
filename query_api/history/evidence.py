"""Everything that the database holds about one order, each part read by its index, however long the log is."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter

from infra.event_log import COLUMNS, Stored
from query_api.listing import Pool
from schemas.ids import payment_id

# The stock of a SKU is a stream that many orders share: the timeline knows which of its events are about this one.
_STOCK: Final = """WHERE notification_id = ANY(ARRAY(
    SELECT position FROM order_timeline WHERE order_id = %(order_id)s AND category = 'stock'))
"""
_OWN: Final = "WHERE originator_id = ANY(%(streams)s) "
_EVENTS: Final = COLUMNS + _OWN + "UNION ALL " + COLUMNS + _STOCK + "ORDER BY notification_id"
_AT: Final = COLUMNS + "WHERE notification_id = ANY(%(positions)s)"
# One statement, so that all parts are of one moment; as JSON, so that each may have columns of its own.
_EVIDENCE: Final = """
SELECT json_build_object(
    'processes', (SELECT coalesce(json_agg(part), '[]') FROM (
        SELECT process AS name, phase, waiting_for, deadline_at, updated_at, ended_at, overdue FROM process_board
        WHERE order_id = %(order_id)s AND process = ANY(%(processes)s)) AS part),
    'posted', (SELECT coalesce(json_agg(part), '[]') FROM (
        SELECT message_id, queue, attempts, available_at, last_error AS error FROM outbox
        WHERE message_id = ANY(%(messages)s)) AS part),
    'done', (SELECT coalesce(json_agg(part), '[]') FROM (
        SELECT message_id, received_at AS at, 0 AS position FROM inbox
        WHERE consumer = ANY('{payment,notification}') AND message_id = ANY(%(messages)s)
        UNION ALL
        SELECT key::uuid, recorded_at, position FROM idempotency_records
        WHERE tenant_id = %(tenant_id)s AND subject = ANY(%(subjects)s) AND key = ANY(%(keys)s)) AS part),
    'parked', (SELECT coalesce(json_agg(part), '[]') FROM (
        SELECT dead_letter_id, consumer, message_id, stream_id, version, error, attempts, parked_at FROM dead_letters
        WHERE kind = 'command' AND status IN ('parked', 'waiting') AND message_id = ANY(%(messages)s)
            AND consumer = ANY('{orders.inbox,payments.work,notifications.work}')
        UNION ALL
        SELECT dead_letter_id, consumer, message_id, stream_id, version, error, attempts, parked_at FROM dead_letters
        WHERE kind = 'event' AND status IN ('parked', 'waiting') AND stream_id = ANY(%(seen)s)
            AND consumer = ANY(ARRAY(SELECT subscription FROM subscription_positions) || '{relay}'::text[])) AS part),
    'readers', (SELECT coalesce(json_agg(part), '[]') FROM (
        SELECT reader.subscription AS name, reader.position, applied.stream_id, applied.version
        FROM subscription_positions reader
        LEFT JOIN subscription_versions applied
            ON applied.subscription = reader.subscription AND applied.stream_id = ANY(%(seen)s)) AS part)
)::text
"""
QUERIES: Final = (_EVENTS, _AT, _EVIDENCE)


class ProcessRow(NamedTuple):
    name: str
    phase: str
    waiting_for: str
    deadline_at: datetime | None
    updated_at: datetime
    ended_at: datetime | None
    overdue: bool


class Posted(NamedTuple):
    """A command in the outbox: nobody has dealt with it yet."""

    message_id: UUID
    queue: str
    attempts: int
    available_at: datetime
    error: str | None


class Parked(NamedTuple):
    """A command or an event that waits for a person."""

    dead_letter_id: UUID
    consumer: str
    message_id: UUID | None
    stream_id: UUID | None
    version: int | None
    error: str
    attempts: int
    parked_at: datetime


class Done(NamedTuple):
    """What a worker was done with, or the write API carried out."""

    message_id: UUID
    at: datetime
    position: int
    """Of the event that came of it; 0 when it is a worker's."""


class _Reader(NamedTuple):
    name: str
    position: int
    stream_id: UUID | None
    version: int | None


class _Parts(NamedTuple):
    processes: list[ProcessRow]
    posted: list[Posted]
    done: list[Done]
    parked: list[Parked]
    readers: list[_Reader]


_PARTS: Final = TypeAdapter(_Parts)


@dataclass(frozen=True, slots=True)
class Evidence:
    processes: Sequence[ProcessRow] = ()
    posted: Mapping[UUID, Posted] = field(default_factory=dict)
    done: Mapping[UUID, Done] = field(default_factory=dict)
    parked: Sequence[Parked] = ()
    reached: Mapping[str, int] = field(default_factory=dict)
    """How far every reader of the log is."""
    applied: Mapping[tuple[str, UUID], int] = field(default_factory=dict)
    """The version that a reader has applied of a stream."""


async def events_of(pool: Pool, order_id: UUID) -> list[Stored]:
    """Give the events of the order, of its payment, and of stock about it as far as the timeline shows them."""
    return await _events(pool, _EVENTS, {"streams": [order_id, payment_id(order_id)], "order_id": order_id})


async def events_at(pool: Pool, positions: Collection[int]) -> list[Stored]:
    """Give the events at some positions."""
    return await _events(pool, _AT, {"positions": list(positions)})


async def _events(pool: Pool, query: str, values: Mapping[str, Any]) -> list[Stored]:
    async with pool.connection() as connection, connection.cursor(binary=True) as cursor:
        await cursor.execute(query.encode(), values)
        return [Stored(*row) for row in await cursor.fetchall()]


async def gathered(  # noqa: PLR0913  # what is looked for
    pool: Pool,
    order_id: UUID,
    tenant_id: str,
    *,
    streams: Collection[UUID],
    messages: Collection[UUID],
    names: Collection[str],
) -> Evidence:
    """Read what became of some messages, who has applied some streams, and where the processes are."""
    values = {
        "order_id": order_id,
        "tenant_id": tenant_id,
        "seen": list(streams),
        "messages": list(messages),
        "keys": [str(each) for each in messages],
        "processes": list(names),
        "subjects": [*(f"inbox:process:{name}" for name in names), "inbox:worker:payment"],
    }
    async with pool.connection() as connection:
        row = await (await connection.execute(_EVIDENCE, values)).fetchone()
    parts = _PARTS.validate_json(row[0] if row else "")
    return Evidence(
        processes=parts.processes,
        posted={each.message_id: each for each in parts.posted},
        done={each.message_id: each for each in parts.done},
        parked=parts.parked,
        reached={each.name: each.position for each in parts.readers},
        applied={(each.name, each.stream_id): each.version or 0 for each in parts.readers if each.stream_id},
    )
