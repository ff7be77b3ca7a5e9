"""The timer: tells a process that its deadline has passed."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import uuid5

from psycopg_pool import AsyncConnectionPool

from infra.outages import DATABASE_OUTAGES
from process_managers.order_fulfilment import DeadlinePassed, Deadlines, react
from process_managers.process_store import Owned, load_due, store
from process_managers.runner import addressed
from schemas.base import Trace
from schemas.commands import Sent

_POLL_SECONDS: Final = 0.5
_LIMIT: Final = 100
_log: Final = logging.getLogger(__name__)


async def keep_time(
    pool: AsyncConnectionPool, deadlines: Deadlines, now: Callable[[], datetime], *, grace: float = 0.0
) -> None:
    """Run until cancelled, through database outages. A deadline is told at most about half a second late.

    For the first `grace` seconds none is told: work that waited while nothing ran is done first, so that an order is
    not cancelled because the platform was down.
    """
    await asyncio.sleep(grace)
    while True:
        try:
            told = await tell(pool, deadlines=deadlines, now=now())
        except DATABASE_OUTAGES as error:
            _log.warning("The timer could not reach the database: %s", type(error).__name__)
            told = 0
        if told < _LIMIT:
            await asyncio.sleep(_POLL_SECONDS)


async def tell(pool: AsyncConnectionPool, *, deadlines: Deadlines, now: datetime) -> int:
    """Tell the processes that are due, in one transaction, and give their number; several timers share the work."""
    async with pool.connection() as connection, connection.transaction():
        due = await load_due(connection, now, _LIMIT)
        changed: list[Owned] = []
        commands: list[Sent] = []
        for order_id, owned in due.items():
            deadline_at = owned.process.deadline_at or now
            passed = DeadlinePassed(order_id=order_id, deadline_at=deadline_at)
            reaction = react(owned.process, passed, now=now, deadlines=deadlines)
            changed.append(Owned(owned.tenant_id, reaction.state or owned.process))
            cause = uuid5(order_id, f"deadline/{deadline_at.isoformat()}")
            trace = Trace(correlation_id=owned.process.correlation_id, causation_id=cause)
            commands += addressed(reaction.commands, tenant_id=owned.tenant_id, trace=trace, now=now)
        await store(connection, changed, commands, now)
    return len(due)
