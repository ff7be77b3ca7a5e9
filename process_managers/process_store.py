"""The rows of `processes`: read for update, written together with the commands that the reaction asked for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg import AsyncConnection

from infra.bus import post
from process_managers.fulfilment_state import OrderFulfilment, decode, encode
from process_managers.process_board import waiting_for
from schemas.commands import Sent

PROCESS: Final = "order_fulfilment"

_LOAD: Final = """
SELECT tenant_id, state FROM processes WHERE process = %s AND process_id = ANY(%s) ORDER BY process_id FOR UPDATE
"""
_DUE: Final = """
SELECT tenant_id, state FROM processes WHERE process = %s AND deadline_at <= %s
ORDER BY deadline_at LIMIT %s FOR UPDATE SKIP LOCKED
"""
_STORE: Final = """
INSERT INTO processes (process, process_id, tenant_id, phase, state, waiting_for, deadline_at,
    started_at, updated_at, ended_at)
SELECT %(process)s, process_id, tenant_id, phase, state, waiting_for, deadline_at,
    %(now)s, %(now)s, CASE WHEN ended THEN %(now)s::timestamptz END
FROM unnest(%(process_id)s::uuid[], %(tenant_id)s::text[], %(phase)s::text[], %(state)b::bytea[],
    %(waiting_for)s::text[], %(deadline_at)s::timestamptz[], %(ended)s::boolean[])
    AS changed (process_id, tenant_id, phase, state, waiting_for, deadline_at, ended)
ON CONFLICT (process, process_id) DO UPDATE SET phase = excluded.phase, state = excluded.state,
    waiting_for = excluded.waiting_for, deadline_at = excluded.deadline_at, updated_at = excluded.updated_at,
    ended_at = excluded.ended_at
"""


@dataclass(frozen=True, slots=True)
class Owned:
    """A process and the tenant that it belongs to."""

    tenant_id: str
    process: OrderFulfilment


async def load(connection: AsyncConnection, order_ids: Collection[UUID]) -> dict[UUID, Owned]:
    """Lock and read the processes of some orders, in the caller's transaction; unknown ones are left out."""
    return _by_order(await (await connection.execute(_LOAD, (PROCESS, list(order_ids)))).fetchall())


async def load_due(connection: AsyncConnection, now: datetime, limit: int) -> dict[UUID, Owned]:
    """Lock and read processes whose deadline has passed, the longest overdue first, skipping what others work on."""
    return _by_order(await (await connection.execute(_DUE, (PROCESS, now, limit))).fetchall())


async def store(
    connection: AsyncConnection, changed: Collection[Owned], commands: Sequence[Sent], now: datetime
) -> None:
    """Write states and commands in the caller's transaction: both happen or neither."""
    if changed:
        await connection.execute(_STORE, _rows(changed, now))
    await post(connection, commands)


def _by_order(rows: Sequence[tuple[str, bytes]]) -> dict[UUID, Owned]:
    owned = (Owned(tenant_id, decode(state)) for tenant_id, state in rows)
    return {each.process.order_id: each for each in owned}


def _rows(changed: Collection[Owned], now: datetime) -> dict[str, object]:
    processes = [owned.process for owned in changed]
    return {
        "process": PROCESS,
        "now": now,
        "process_id": [process.order_id for process in processes],
        "tenant_id": [owned.tenant_id for owned in changed],
        "phase": [process.phase for process in processes],
        "state": [encode(process) for process in processes],
        "waiting_for": [waiting_for(process) for process in processes],
        "deadline_at": [process.deadline_at for process in processes],
        "ended": [process.ended for process in processes],
    }
