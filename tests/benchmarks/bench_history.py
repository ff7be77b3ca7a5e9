"""How fast one order's past is read in a long log: `python -m tests.benchmarks.bench_history [--events N]`."""

import asyncio
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time
from typing import Final
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool
from pydantic import SecretStr

from infra.auth import SCOPES, Caller
from infra.event_log import EventLog, Stored
from infra.local.servers import LocalServers
from infra.migrate import migrate
from infra.replaying import Replays
from infra.settings import Settings
from infra.signals import Signals
from query_api.audit.record import Looks
from query_api.cursors import Cursors
from query_api.history.questions import PastQuestions, Subject
from query_api.history.stories import story
from query_api.parameters import DiffQuery, StateQuery
from query_api.pasts import Pasts
from query_api.positions import Positions
from query_api.reading import Reading
from schemas.recorded import Recorded
from schemas.telling import facts_of
from tests.benchmarks.stored_log import LIFE, lives, write
from tests.examples import CUSTOMER_ID, TENANT

EVENTS: Final = 1_000_000
ASKED: Final = 300
GOAL_MS: Final = 20
CHUNK: Final = 120_000
_ORDER: Final = 2
"""Where the order begins in a life; what is before it is about the product and all stock."""
_TIMELINE: Final = """
COPY order_timeline (order_id, event_id, tenant_id, kind, category, version, occurred_at, actor, correlation_id,
    causation_id, facts, position) FROM STDIN
"""
_READERS: Final = """
INSERT INTO subscription_positions (subscription, position)
SELECT unnest('{order_views,shop_figures,order_fulfilment,live_figures}'::text[]), max(notification_id)
FROM stored_events
"""
_VERSIONS: Final = """
INSERT INTO subscription_versions (subscription, stream_id, version)
SELECT subscription, originator_id, max(originator_version) FROM stored_events, subscription_positions GROUP BY 1, 2
"""


_RECORDS: Final = """
INSERT INTO idempotency_records (tenant_id, subject, key, fingerprint, response, position)
SELECT 'kaffa', 'inbox:process:order_fulfilment', gen_random_uuid(), '', '', notification_id FROM stored_events
"""
_INBOX: Final = """
INSERT INTO inbox (consumer, message_id)
SELECT unnest('{payment,notification}'::text[]), gen_random_uuid() FROM stored_events WHERE topic LIKE 'order.%'
"""


def fill(dsn: str, events: int) -> list[Stored]:
    """Write a log of lives of orders, and what its readers keep of it; gives some of the orders' first events."""
    log = lives(events)
    write(dsn, log, per_commit=CHUNK)
    with psycopg.connect(dsn, autocommit=True) as connection, connection.cursor() as cursor:
        with cursor.copy(_TIMELINE) as rows:
            for index, stored in enumerate(log):
                number, place = divmod(index, len(LIFE))
                if place >= _ORDER:
                    rows.write_row(_timeline_row(number, LIFE[place], stored.position))
        cursor.execute(_READERS)
        cursor.execute(_VERSIONS)
        cursor.execute(_RECORDS)
        cursor.execute(_INBOX)
        cursor.execute("ANALYZE")
    return log[_ORDER :: len(LIFE) * max(1, len(log) // len(LIFE) // ASKED)]


def _timeline_row(number: int, recorded: Recorded, position: int) -> tuple[object, ...]:
    """Give the row of an event of a life, as the projection would write it."""
    trace = recorded.trace
    return (
        *(_numbered(LIFE[_ORDER].stream_id, number), _numbered(recorded.event_id, number), recorded.tenant_id),
        *(recorded.event.type, recorded.category, recorded.version, recorded.occurred_at, recorded.actor),
        *(_numbered(trace.correlation_id, number), _numbered(trace.causation_id, number)),
        *(Jsonb(facts_of(recorded.event)), position),
    )


def _numbered(template: UUID, number: int) -> str:
    return f"{str(template)[:24]}{number:012x}"


async def timed(what: str, ask: Callable[[Stored], Awaitable[object]], orders: list[Stored]) -> None:
    spans, busy = [], process_time()
    for order in orders:
        started = perf_counter()
        await ask(order)
        spans.append((perf_counter() - started) * 1_000)
    busy = (process_time() - busy) * 1_000 / len(spans)
    spans.sort()
    p50, p99 = spans[len(spans) // 2], spans[len(spans) * 99 // 100]
    reached = "reached" if p99 <= GOAL_MS else "missed"
    sys.stdout.write(
        f"{what:<28} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   goal {GOAL_MS} ms: {reached}   (busy {busy:.2f} ms)\n"
    )


async def measure(dsn: str, orders: list[Stored]) -> None:
    by = Caller(TENANT, "staff", CUSTOMER_ID, frozenset(SCOPES))
    async with AsyncConnectionPool(dsn, kwargs={"autocommit": True}, min_size=1, open=False) as pool:
        pasts = Pasts(pool, Replays(Settings()))
        reading = Reading(pool, Positions(pool, Signals(dsn)), Cursors(SecretStr("none")), pasts)
        past = PastQuestions(reading, EventLog(pool), Looks(pool, lambda: datetime.now(UTC)))

        async def told(order: Stored) -> None:
            entries, _ = await story(pool, by, order.stream_id)
            assert len(entries) > 10

        async def then(order: Stored) -> None:
            found = await past.state(by, Subject("orders", str(order.stream_id)), StateQuery(at_version=2))
            assert found.body.state["status"] == "confirmed"

        async def differs(order: Stored) -> None:
            subject = Subject("orders", str(order.stream_id))
            found = await past.difference(by, subject, DiffQuery(from_version=1))
            assert found.body.patch

        for order in orders[:30]:  # connect, prepare statements, load what is loaded once
            await told(order)
        await timed("the story of an order", told, orders)
        await timed("its state at a version", then, orders)
        await timed("what changed since", differs, orders)


def main() -> None:
    arguments = ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=EVENTS)
    events = arguments.parse_args().events
    with tempfile.TemporaryDirectory(prefix="orderflow-bench-") as folder:
        Path(folder).chmod(0o755)
        with LocalServers(Path(folder), postgres_settings={"fsync": "off"}) as servers:
            migrate(servers.postgres_dsn)
            started = perf_counter()
            orders = fill(servers.postgres_dsn, events)
            sys.stdout.write(f"a log of {events:,} events, written in {perf_counter() - started:.0f} s\n")
            asyncio.run(measure(servers.postgres_dsn, orders))


if __name__ == "__main__":
    main()
