"""How fast a read model is rebuilt: `python -m tests.benchmarks.bench_rebuild [--events 1000000] [--live 60000]`.

Against the live projector over the beginning of the same log, and against pydantic that decodes the same bytes.
"""

import argparse
import asyncio
import gc
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from infra.event_log import EventLog
from infra.feed import Feed
from infra.local.servers import LocalServers
from infra.log_subscriptions import LogSubscriptions
from infra.migrate import migrate
from infra.signals import PROJECTED, Signals
from infra.stopping import stop
from projections.order_summary import ORDER_SUMMARIES
from projections.projector import fill
from projections.read_model import Key
from projections.versions.build import Build
from projections.versions.switching import REBUILT, Versions
from schemas.recorded import decode
from tests.benchmarks.stored_log import lives, write_shop

NAME: Final = "order_views"
"""Whose guard the rebuild follows."""
SAMPLE: Final = 60_000
Pool = AsyncConnectionPool[AsyncConnection[Any]]


def say(what: str, events: int, seconds: float) -> float:
    """Write one line; gives events per second."""
    sys.stdout.write(f"{what:<58}{events / seconds:>12,.0f} events/s\n")
    sys.stdout.flush()
    return events / seconds


def decode_and_fold() -> None:
    """Compare CPU seconds, so that a neighbour on the machine does not count."""
    log = [stored for stored in lives(SAMPLE) if stored.category in ORDER_SUMMARIES.categories]
    gc.disable()
    best = decoding = 0.0
    for _ in range(3):
        started = process_time()
        for stored in log:
            decode(stored.state)
        decoding = process_time() - started
        rows: dict[Key, Any] = {}
        changed: set[Key] = set()
        started = process_time()
        for stored in log:
            ORDER_SUMMARIES.take(rows, changed, decode(stored.state), stored.position)
        best = max(best, decoding / (process_time() - started))
    gc.enable()
    say("decode only, of CPU", len(log), decoding)
    sys.stdout.write(f"{'decode and fold against decode':<58}{best:>12.2f} x\n")


async def measure_live(dsn: str, pool: Pool, until: int) -> float:
    """The same projection through the live follower, from the beginning of the log."""
    log = EventLog(pool)
    async with Signals(dsn) as signals, Feed(log, signals) as feed:
        subscriptions = LogSubscriptions(pool, signals, feed)
        subscriptions.subscribe(fill(NAME, ORDER_SUMMARIES, pace=0.005, rest=0.3))
        waiter, started = signals.waiter(PROJECTED), perf_counter()
        task = asyncio.create_task(subscriptions.run())
        reached = 0
        while reached < until:
            await waiter.wait(0.1)
            async with pool.connection() as connection:
                query = "SELECT position FROM subscription_positions WHERE subscription = %s"
                row = await (await connection.execute(query, (NAME,))).fetchone()
                reached = row[0] if row else 0
        rate = say("live follower", reached, perf_counter() - started)
        await stop([task])
    return rate


async def measure_rebuild(pool: Pool, events: int) -> float:
    async with pool.connection() as connection:
        await connection.execute("TRUNCATE order_summaries, subscription_versions")
        await connection.execute("UPDATE subscription_positions SET position = %s", (events,))
        build = Build(connection, REBUILT, ORDER_SUMMARIES)
        gc.disable()
        started = perf_counter()
        await build.begin()
        await build.catch_up()
        folded = perf_counter() - started
        await build.finish()
        rate = say("rebuild, indexes included", events, perf_counter() - started)
        gc.enable()
        say("  of that, reading, folding and storing", events, folded)
        cursor = await connection.execute("SELECT count(*) FROM rebuilt.order_summaries")
        assert await cursor.fetchone() == (events // 12,)
        started = perf_counter()
        assert (await Versions(pool, ORDER_SUMMARIES).compare()).differing == events // 12
        say("compare, every row missing", events // 12, perf_counter() - started)
    return rate


async def measure(dsn: str, events: int, live: int) -> None:
    options = "-c synchronous_commit=off"
    async with AsyncConnectionPool(dsn, kwargs={"autocommit": True, "options": options}, open=False) as pool:
        following = await measure_live(dsn, pool, min(live, events))
        rebuilding = await measure_rebuild(pool, events)
    sys.stdout.write(f"{'rebuild against the live follower':<58}{rebuilding / following:>12.1f} x\n")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--events", type=int, default=1_000_000)
    asked.add_argument("--live", type=int, default=60_000, help="how many of them the live follower is given")
    options = asked.parse_args()
    decode_and_fold()
    with tempfile.TemporaryDirectory(prefix="orderflow-bench-") as folder:
        Path(folder).chmod(0o755)
        with LocalServers(Path(folder)) as servers:
            migrate(servers.postgres_dsn)
            started = perf_counter()
            events = write_shop(servers.postgres_dsn, options.events)
            say("events stored by COPY", events, perf_counter() - started)
            asyncio.run(measure(servers.postgres_dsn, events, options.live))


if __name__ == "__main__":
    main()
