"""Reads the acquirer's ledger and the log, and tells where they disagree: on demand, and every so often by itself."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final
from uuid import UUID

import aiohttp
import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from pydantic import ValidationError

from infra.acquirer import Booked, HttpAcquirer, OutcomeUnknown
from infra.event_log import COLUMNS, HEAD, Stored
from process_managers.reconciliation import Case, Finding, compare
from schemas.events.payment import PaymentEvent
from schemas.ids import payment_id
from schemas.recorded import Recorded

GRACE: Final = timedelta(minutes=2)
"""How long the two may disagree, because an answer is on its way."""
SINCE: Final = timedelta(hours=24)

_PAGE: Final = 500
_EVENTS: Final = 5_000
"""Read at once: a small part of what a statement may take."""
_FIRST_SECONDS: Final = 60.0
_LOCK: Final = 0x0F10_4EC0
"""Advisory lock of whoever reconciles every so often."""
_TRY_LOCK: Final = f"SELECT pg_try_advisory_lock({_LOCK})"
_NEXT: Final = COLUMNS + "WHERE notification_id >= %s ORDER BY notification_id LIMIT 1"
_STREAMS: Final = COLUMNS + "WHERE originator_id = ANY(%s) ORDER BY originator_id, originator_version"
_MOVED: Final = """
SELECT notification_id, split_part(topic, '.', 1), originator_id FROM stored_events
WHERE notification_id >= %s ORDER BY notification_id LIMIT %s
"""
_log: Final = logging.getLogger(__name__)

Connection = AsyncConnection[Any]


@dataclass(frozen=True, slots=True)
class Report:
    payments: int
    """How many were compared."""
    findings: Sequence[Finding]
    in_flight: Sequence[Finding]
    """Of payments that moved within the grace: most of these settle by themselves."""
    unreadable: int = 0
    """Events of these payments that this release cannot read, and left out."""


async def reconcile(
    pool: AsyncConnectionPool[Connection],
    acquirer: HttpAcquirer,
    *,
    now: datetime,
    since: timedelta = SINCE,
    grace: timedelta = GRACE,
) -> Report:
    """Compare every payment that moved lately, on either side. Raises OutcomeUnknown, psycopg.OperationalError."""
    booked: dict[UUID, list[Booked]] = defaultdict(list)
    start = now - since
    for entry in await acquirer.ledger(since=start - GRACE):
        booked[entry.payment_id].append(entry)
    recent = [key for key, entries in booked.items() if entries[-1].recorded_at >= start]
    findings: list[Finding] = []
    in_flight: list[Finding] = []
    unreadable = 0
    moved: dict[UUID, UUID | None] = {**dict.fromkeys(recent), **await _moved(pool, start)}
    wanted, compared = iter(moved.items()), 0
    while page := dict(islice(wanted, _PAGE)):
        async with pool.connection() as connection:
            cases, unread = await _cases(connection, page, booked)
        unreadable += unread
        for case in [await _complete(case, acquirer, start) for case in cases]:
            settled = case.moved_at is None or case.moved_at < now - grace
            (findings if settled else in_flight).extend(compare(case))
        compared += len(page)
        _log.debug("Compared %d of %d payments", compared, len(moved))
    return Report(len(moved), findings, in_flight, unreadable)


async def _complete(case: Case, acquirer: HttpAcquirer, start: datetime) -> Case:
    """Add what the ledger says of it from before, unless all of it is younger."""
    first = [*case.payment[:1], *case.order[:1]]
    if any(each.version == 1 and each.occurred_at >= start for each in first):
        return case
    return replace(case, booked=await acquirer.ledger(payment_id=case.payment_id))


async def keep_reconciling(
    dsn: str,
    pool: AsyncConnectionPool[Connection],
    acquirer: HttpAcquirer,
    now: Callable[[], datetime],
    *,
    every: float,
) -> None:
    """Reconcile soon, and then every so many seconds until cancelled; each finding is an alarm in the log.

    Of several processes one does it, for as long as its connection holds the lock.
    """
    while True:
        await asyncio.sleep(min(every, _FIRST_SECONDS))
        try:
            async with await AsyncConnection.connect(dsn, autocommit=True, connect_timeout=2) as alone:
                while await _holds_lock(alone):
                    await _alarm(pool, acquirer, now(), max(SINCE, timedelta(seconds=2 * every)))
                    await asyncio.sleep(every)
        except psycopg.OperationalError as error:
            _log.warning("Payments are not reconciled for now: %s", type(error).__name__)


async def _holds_lock(alone: Connection) -> bool:
    """Take the lock; who has it is given it again."""
    row = await (await alone.execute(_TRY_LOCK)).fetchone()
    return bool(row and row[0])


async def _alarm(
    pool: AsyncConnectionPool[Connection], acquirer: HttpAcquirer, now: datetime, since: timedelta
) -> None:
    try:
        report = await reconcile(pool, acquirer, now=now, since=since)
    except (psycopg.OperationalError, OutcomeUnknown, aiohttp.ClientError, ValidationError) as error:
        _log.warning("Payments could not be reconciled: %s", type(error).__name__)
        return
    for finding in report.findings:
        _log.error("Payment %s of order %s: %s: %s", finding.payment_id, finding.order_id, finding.kind, finding.says)


async def _moved(pool: AsyncConnectionPool[Connection], since: datetime) -> dict[UUID, UUID | None]:
    """Give the payments that moved, or whose orders did; the order's id where it is known by now."""
    payments: dict[UUID, UUID | None] = {}
    async with pool.connection() as connection:
        position = await _position_at(connection, since)
        while rows := await (await connection.execute(_MOVED, (position, _EVENTS))).fetchall():
            for _, category, stream_id in rows:
                if category == "payment":
                    payments.setdefault(stream_id, None)
                elif category == "order":
                    payments[payment_id(stream_id)] = stream_id
            position = rows[-1][0] + 1
            _log.debug("Read the log up to position %d", rows[-1][0])
    return payments


async def _position_at(connection: Connection, moment: datetime) -> int:
    """Find the first event after a moment by halving; one that cannot be read counts as after it."""
    row = await (await connection.execute(HEAD)).fetchone()
    before, after = 0, int(row[0]) + 1 if row else 1
    while after - before > 1:
        middle = (before + after) // 2
        found = await _events(connection, _NEXT, (middle,))
        recorded = _read(found[0])
        if recorded is None or recorded.occurred_at >= moment:
            after = middle
        else:
            before = middle
    return after


async def _cases(
    connection: Connection, orders: Mapping[UUID, UUID | None], booked: Mapping[UUID, Sequence[Booked]]
) -> tuple[list[Case], int]:
    payments, unread = await _streams(connection, list(orders))
    known = {key: order_id or _order_of(payments.get(key, ())) for key, order_id in orders.items()}
    streams, unread_orders = await _streams(connection, [order_id for order_id in known.values() if order_id])
    cases = [
        Case(key, booked.get(key, ()), payments.get(key, ()), streams.get(order_id, ()) if order_id else ())
        for key, order_id in known.items()
    ]
    return cases, unread + unread_orders


def _order_of(payment: Sequence[Recorded]) -> UUID | None:
    return next((each.event.order_id for each in payment if isinstance(each.event, PaymentEvent)), None)


async def _streams(connection: Connection, stream_ids: Sequence[UUID]) -> tuple[dict[UUID, list[Recorded]], int]:
    streams: dict[UUID, list[Recorded]] = defaultdict(list)
    unread = 0
    for stored in await _events(connection, _STREAMS, (list(stream_ids),)):
        recorded = _read(stored)
        if recorded is None:
            unread += 1
        else:
            streams[stored.stream_id].append(recorded)
    return streams, unread


async def _events(connection: Connection, query: str, values: tuple[object, ...]) -> list[Stored]:
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(query.encode(), values)
        return [Stored(*row) for row in await cursor.fetchall()]


def _read(stored: Stored) -> Recorded | None:
    try:
        return stored.recorded
    except ValidationError:
        return None
