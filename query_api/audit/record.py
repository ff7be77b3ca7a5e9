"""The record of what auditors look at: each look is in it, on the disk, before anything is shown."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout

from infra.auth import Caller
from query_api.listing import Pool
from schemas.ids import new_id
from schemas.looks import FIRST, Look, hash_of

SHOWN: Final = "shown"
_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtext('audit_looks'), hashtext(%s))"
_NEWEST: Final = "SELECT number, hash FROM audit_looks WHERE tenant_id = %s ORDER BY number DESC LIMIT 1"
_ADD: Final = """
INSERT INTO audit_looks (tenant_id, number, look_id, looked_at, subject, question, parameters, outcome, orders,
    customers, revealed, reason, previous, hash)
VALUES (%(tenant_id)s, %(number)s, %(look_id)s, %(looked_at)s, %(subject)s, %(question)s, %(parameters)s, %(outcome)s,
    %(orders)s, %(customers)s, %(revealed)s, %(reason)s, %(previous)s, %(hash)s)
"""
_log: Final = logging.getLogger(__name__)


class LookNotRecorded(Exception):  # noqa: N818  # a state of the world
    """A look could not be recorded, so it must not be answered."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is recorded of a look beside who looks, when and why; see `Look`."""

    question: str
    parameters: Mapping[str, Any]
    outcome: str = SHOWN
    orders: frozenset[UUID] = field(default_factory=frozenset)
    customers: frozenset[UUID] = field(default_factory=frozenset)
    revealed: bool = False


class Looks:
    """Only ever added to, one look of a tenant at a time, so that each can carry the hash of the one before."""

    def __init__(self, pool: Pool, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._now = now

    async def record(self, by: Caller, seen: Seen) -> None:
        """Return once the look is on the disk. Raises LookNotRecorded."""
        try:
            async with self._pool.connection() as connection, connection.transaction():
                await self._append(connection, by, seen)
        except (psycopg.Error, PoolTimeout) as failure:
            _log.error("a look cannot be recorded: %s", type(failure).__name__)
            raise LookNotRecorded from failure

    async def _append(self, connection: AsyncConnection[Any], by: Caller, seen: Seen) -> None:
        await connection.execute("SET LOCAL synchronous_commit = on")
        await connection.execute(_ONE_AT_A_TIME, (by.tenant_id,))
        row = await (await connection.execute(_NEWEST, (by.tenant_id,))).fetchone()
        number, previous = row or (0, FIRST)
        look = Look(
            tenant_id=by.tenant_id,
            number=number + 1,
            look_id=new_id(),
            looked_at=self._now(),
            subject=by.subject,
            question=seen.question,
            parameters=dict(seen.parameters),
            outcome=seen.outcome,
            orders=tuple(sorted(seen.orders)),
            customers=tuple(sorted(seen.customers)),
            revealed=seen.revealed,
            reason=by.reason,
            previous=previous,
            hash="",
        )
        values = dict(look) | {"hash": hash_of(look.model_dump(mode="json")), "parameters": Jsonb(look.parameters)}
        values |= {"orders": list(look.orders), "customers": list(look.customers)}
        await connection.execute(_ADD, values)
