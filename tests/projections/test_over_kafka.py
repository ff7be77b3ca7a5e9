"""Whatever Kafka loses, repeats or turns around, every read model equals a fresh fold of the log."""

import asyncio
import random
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from infra.event_log import Stored
from infra.kafka.arrivals import KafkaSilent, Patience
from infra.live_keys import GENERATION
from projections.order_summary import ORDER_SUMMARIES
from tests.infra.kafka.relaying import Place, a_place
from tests.projections.conftest import stored_rows, write_log
from tests.projections.over_kafka import (
    as_if_relayed,
    assert_tables_equal,
    caught_up,
    group_of,
    process,
    publish,
    reached,
    worker,
)
from tests.projections.projecting import project
from tests.projections.story import FATES, an_id, told
from tests.waiting import eventually


@pytest.fixture
def place(database: str, redis_url: str, kafka_servers: str) -> Place:
    return a_place(database, redis_url, kafka_servers)


def listening() -> set[str]:
    """Addresses on which this process waits for connections."""
    mine = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            mine.add(str(descriptor.readlink()))
    tables = [Path(f"/proc/self/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table]
    return {row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in mine}


def disturbed(log: Sequence[Stored]) -> list[Stored]:
    """Each event once or more, neighbours in another order."""
    choice = random.Random(7)
    several = [stored for stored in log for _ in range(choice.choice((1, 1, 2)))]
    for start in range(0, len(several), 6):
        part = several[start : start + 6]
        choice.shuffle(part)
        several[start : start + 6] = part
    return several


async def test_two_workers_write_what_a_fold_gives_through_repeats_and_wrong_order(place: Place) -> None:
    log = told(*FATES, *FATES, *FATES)
    half = len(log) // 2
    write_log(place.dsn, log[:half])
    before = listening()
    async with worker(place) as one, worker(place):
        await one.joined(joins=2)
        assert listening() == before
        await caught_up(place, log[:half])
        write_log(place.dsn, log[half:])
        await asyncio.sleep(0.5)
        assert reached(place) < log[-1].position  # only Kafka brings the rest
        place.plant(*disturbed(log[half:]))
        await caught_up(place, log)
    await assert_tables_equal(place, log)


async def test_offsets_follow_what_was_applied_over_records_that_are_no_events(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    log = told(*FATES)
    async with worker(place):
        place.plant(log[0], headers={"orderflow-version": None})
        publish(place, log)
        await caught_up(place, log)

        async def committed() -> bool:
            return sum(group_of(place).offsets) == len(log) + 1

        await eventually(committed)
    assert "passing over a record of" in caplog.text
    await assert_tables_equal(place, log)


async def test_what_kafka_lost_is_read_from_the_log(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    log = told(*FATES)
    async with worker(place, Patience(hole=0.5)):
        write_log(place.dsn, log)
        place.plant(*log[: len(log) // 2 : 3])
        await asyncio.sleep(1)
        assert reached(place) < log[-1].position  # the relay might still bring it
        as_if_relayed(place, log[-1].position)
        await caught_up(place, log)
    assert "Kafka has not brought position" in caplog.text
    await assert_tables_equal(place, log)


async def test_a_worker_to_which_nothing_comes_gives_up(place: Place) -> None:
    log = told(*FATES)
    as_if_relayed(place, log[-1].position)
    async with worker(place, Patience(hole=0.2, silence=1)) as deaf:
        for stored in log:
            if deaf.running.done():
                break
            write_log(place.dsn, [stored])
            await asyncio.sleep(0.3)
        with pytest.raises(KafkaSilent):
            async with asyncio.timeout(5):
                await deaf.running


async def test_an_event_that_cannot_be_read_parks_its_own_order_only(place: Place) -> None:
    log = told("delivered", "delivered")
    poisoned = an_id("order", 0)
    at = next(i for i, stored in enumerate(log) if stored.stream_id == poisoned and stored.version == 2)
    garbled = Stored(log[at].position, poisoned, 2, log[at].topic, b"{}")
    async with worker(place):
        write_log(place.dsn, [*log[:at], garbled, *log[at + 1 :]])
        place.plant(*log[:at], *log[at + 1 :])
        place.plant(log[at], headers={"orderflow-position": b"%d" % garbled.position})
        await caught_up(place, log)
    async with await psycopg.AsyncConnection.connect(place.dsn) as connection:
        rows = await stored_rows(connection, ORDER_SUMMARIES)
    assert rows[poisoned,].version == 1
    assert rows[an_id("order", 1),] == project(ORDER_SUMMARIES, log)[an_id("order", 1),]


async def test_workers_come_and_go_while_events_come(place: Place) -> None:
    log = told(*FATES * 6)
    pages = [log[start : start + 20] for start in range(0, len(log), 20)]

    async def bring() -> None:
        for page in pages:
            publish(place, page)
            await asyncio.sleep(0.2)

    async with worker(place) as one:
        bringing = asyncio.create_task(bring())
        for _ in range(2):
            async with worker(place):
                await asyncio.sleep(0.5)
        await bringing
        assert one.subscriptions.line.joins > 2
        await caught_up(place, log)
    await assert_tables_equal(place, log)


async def test_a_flushed_redis_is_filled_again(place: Place) -> None:
    log = told(*FATES)
    async with worker(place) as one:
        publish(place, log)
        await caught_up(place, log)
        generation = await one.runtime.redis.get(GENERATION)
        await one.runtime.redis.flushdb()

        async def again() -> bool:
            return await one.runtime.redis.get(GENERATION) not in (None, generation)

        await eventually(again, 3)


@pytest.mark.faults
async def test_killed_and_paused_processes_lose_and_repeat_nothing(place: Place, tmp_path: Path) -> None:
    log = told(*FATES * 12)
    parts = [log[start : start + len(log) // 3 + 1] for start in range(0, len(log), len(log) // 3 + 1)]
    as_if_relayed(place, log[-1].position)

    async def members() -> bool:
        return group_of(place).members == 2

    with process(place, tmp_path, "one") as one, process(place, tmp_path, "other") as other:
        await eventually(members, 40)
        publish(place, parts[0])
        await eventually(lambda: _begun(place), 20)
        other.send_signal(signal.SIGSTOP)  # most likely in the middle of a batch
        publish(place, parts[1])
        await asyncio.sleep(10)
        other.send_signal(signal.SIGCONT)
        await caught_up(place, parts[1], 40)
        publish(place, parts[2])
        one.kill()
        await caught_up(place, log, 40)
        assert other.poll() is None, (tmp_path / "other.log").read_text()
    await assert_tables_equal(place, log)


async def _begun(place: Place) -> bool:
    return bool(await asyncio.to_thread(place.query, "SELECT 1 FROM subscription_versions LIMIT 1"))
