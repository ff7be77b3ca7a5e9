"""How fast the read models fold a log of 50,000 events: `python -m tests.benchmarks.bench_projection`."""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from psycopg import AsyncConnection
from redis.asyncio import Redis

from infra.event_log import Stored
from infra.live_keys import GENERATION
from infra.local.servers import LocalServers
from infra.migrate import migrate
from projections.projector import Projector
from schemas.recorded import decode
from tests.projections.conftest import write_log
from tests.projections.projecting import MODELS
from tests.projections.story import FATES, told
from tests.projections.test_service import caught_up, running

EVENTS = 50_000
BATCH = 500


def say(what: str, events: int, seconds: float, reference: float | None = None) -> float:
    """Write one line; gives events per second."""
    rate = events / seconds
    ratio = "" if reference is None else f"{rate / reference:>10.3f} x decode"
    sys.stdout.write(f"{what:<34}{rate:>12,.0f} events/s{ratio}\n")
    return rate


def undecoded(log: Sequence[Stored]) -> list[Stored]:
    """The same rows as read from the database: decoded by whoever asks first."""
    return [Stored(stored.position, stored.stream_id, stored.version, stored.topic, stored.state) for stored in log]


def in_batches(log: Sequence[Stored]) -> list[Sequence[Stored]]:
    return [log[start : start + BATCH] for start in range(0, len(log), BATCH)]


async def measure_tables(dsn: str, log: Sequence[Stored], decoding: float) -> None:
    async with await AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute("SET synchronous_commit = off")
        everything = 0.0
        for model in MODELS:
            projector, started = Projector(model), perf_counter()
            for batch in in_batches(log):
                async with connection.transaction():
                    await projector.apply(connection, batch)
            everything += perf_counter() - started
            say(f"  {model.name}", len(log), perf_counter() - started, decoding)
        say("all tables", len(log), everything, decoding)
        for model in MODELS:
            await connection.execute(f"TRUNCATE {model.name}".encode())


def main() -> None:
    started = perf_counter()
    orders = [FATES[number % len(FATES)] for number in range(EVENTS // 12)]
    log = told(*orders)[:EVENTS]
    sys.stdout.write(f"{len(log):,} events told in {perf_counter() - started:.1f} s\n")
    started = perf_counter()
    for stored in log:
        decode(stored.state)
    decoding = say("decode only", len(log), perf_counter() - started)
    with tempfile.TemporaryDirectory(prefix="orderflow-bench-") as folder:
        Path(folder).chmod(0o755)
        with LocalServers(Path(folder)) as servers:
            migrate(servers.postgres_dsn)
            asyncio.run(measure(servers, undecoded(log), decoding))


async def measure(servers: LocalServers, log: Sequence[Stored], decoding: float) -> None:
    for stored in log:
        assert stored.recorded is not None
    await measure_tables(servers.postgres_dsn, log, decoding)
    write_log(servers.postgres_dsn, log)
    started = perf_counter()
    async with running(servers.postgres_dsn, servers.redis_url) as runtime:
        connection = await AsyncConnection.connect(servers.postgres_dsn, autocommit=True)
        async with connection, Redis.from_url(servers.redis_url) as client:
            await caught_up(runtime, connection, log[-1].position)
            assert await client.exists(GENERATION)
        say("the service, from an old log", len(log), perf_counter() - started, decoding)


if __name__ == "__main__":
    main()
