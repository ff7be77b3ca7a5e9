"""A posted command is delivered until it succeeds or is parked, over either bus, whatever happens to the process."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from signal import SIGKILL

import pytest

from infra.bus import PROCESS_ENDED
from infra.signals import Signals
from schemas.commands import Sent
from schemas.ids import new_id
from tests.appending import open_pool
from tests.command_examples import authorise, cancel, sent
from tests.infra.bus_rigs import OutboxRig, RabbitRig, Rig, refusing, some
from tests.waiting import eventually

pytestmark = pytest.mark.servers


@pytest.fixture(params=["outbox", "rabbitmq"])
async def rig(request: pytest.FixtureRequest, database: str) -> AsyncIterator[Rig]:
    async with open_pool(database) as pool, Signals(database) as signals:
        if request.param == "outbox":
            yield OutboxRig(database, pool, signals)
        else:
            url = request.getfixturevalue("rabbitmq_url")
            async with RabbitRig(database, pool, signals, url=url) as rabbit:
                yield rabbit


async def test_every_posted_command_is_delivered_once(rig: Rig) -> None:
    messages = some(200)
    async with rig.bus(rig.take):
        await rig.post(*messages)
        await rig.drained()
    assert sorted(rig.delivered, key=str) == sorted(messages, key=str)


async def test_commands_are_taken_in_the_order_in_which_they_were_posted(rig: Rig) -> None:
    messages = some(20)
    await rig.post(*messages)
    async with rig.bus(rig.take, concurrency=1):
        await rig.drained()
    assert rig.delivered == messages


async def test_a_queue_is_delivered_only_to_its_own_consumer(rig: Rig) -> None:
    other = sent(authorise())
    await rig.post(other)
    await rig.post(*some(1))
    async with rig.bus(rig.take):
        await rig.has_delivered(1)
    assert other not in rig.delivered


async def test_a_queue_has_one_consumer(rig: Rig) -> None:
    bus = rig.a_bus()
    bus.consume("orders.inbox", rig.take, concurrency=1)
    with pytest.raises(ValueError, match="has a consumer"):
        bus.consume("orders.inbox", rig.take, concurrency=1)


async def test_a_bus_without_consumers_ends_at_once(rig: Rig) -> None:
    await rig.a_bus().run()


async def test_a_failed_command_is_delivered_again_until_it_succeeds(rig: Rig) -> None:
    [message] = some(1)
    async with rig.bus(refusing(2, rig.take)):
        await rig.post(message)
        await rig.drained()
    assert rig.delivered == [message]
    assert await rig.rows("SELECT FROM dead_letters") == []


async def test_a_command_that_fails_on_every_step_is_parked_with_its_reason_and_body(rig: Rig) -> None:
    [message] = some(1)
    async with rig.bus(refusing(99, rig.take)):
        await rig.post(message)
        await rig.drained()
    [(kind, consumer, message_id, body, error, attempts, status)] = await rig.rows(
        "SELECT kind, consumer, message_id, body, error, attempts, status FROM dead_letters"
    )
    assert (kind, consumer, message_id, attempts, status) == (
        "command",
        "orders.inbox",
        message.message_id,
        3,
        "parked",
    )
    assert Sent.model_validate_json(body) == message
    assert error == "ConnectionError: <address> hung up"


async def test_a_parked_command_is_put_back_and_goes_out_again(rig: Rig) -> None:
    [message] = some(1)
    async with rig.bus(refusing(3, rig.take)):
        await rig.post(message)
        await rig.drained()
        assert rig.delivered == []
        await rig.post(message)
        await rig.has_delivered(1)
    assert rig.delivered == [message]


async def test_a_parked_command_that_is_sent_again_and_fails_again_is_parked_again(rig: Rig) -> None:
    [message] = some(1)
    async with rig.bus(refusing(99, rig.take)):
        await rig.post(message)
        await rig.drained()
        await rig.rows("UPDATE dead_letters SET status = 'retried' RETURNING 1")
        await rig.post(message)
        await eventually(partial(rig.rows, "SELECT FROM dead_letters WHERE status = 'parked'"))
    assert await rig.rows("SELECT attempts FROM dead_letters") == [(3,)]


async def test_a_body_that_is_no_command_is_parked(rig: Rig) -> None:
    await rig.rows(
        "INSERT INTO outbox (message_id, queue, body) VALUES (gen_random_uuid(), 'orders.inbox', '{}') RETURNING 1"
    )
    async with rig.bus(rig.take):
        [(error,)] = await eventually(partial(rig.rows, "SELECT error FROM dead_letters"))
    assert error == "ValidationError: 6 validation errors for Sent"


async def test_one_failing_command_does_not_hold_up_the_others(rig: Rig) -> None:
    bad, *good = some(30)

    async def handle(message: Sent) -> None:
        if message == bad:
            raise ConnectionError
        await rig.take(message)

    async with rig.bus(handle, concurrency=2):
        await rig.post(bad, *good)
        await rig.drained()
    assert sorted(rig.delivered, key=str) == sorted(good, key=str)


async def test_a_slow_command_holds_up_only_its_own_place(rig: Rig) -> None:
    slow, *quick = some(30)
    release = asyncio.Event()

    async def handle(message: Sent) -> None:
        if message == slow:
            await release.wait()
        await rig.take(message)

    async with rig.bus(handle, concurrency=2):
        await rig.post(slow, *quick)
        await rig.has_delivered(len(quick))
        release.set()
        await rig.drained()
    assert rig.delivered == [*quick, slow]


async def test_no_more_commands_are_under_way_than_the_consumer_allows(rig: Rig) -> None:
    under_way = peak = 0

    async def handle(message: Sent) -> None:
        nonlocal under_way, peak
        under_way += 1
        peak = max(peak, under_way)
        await asyncio.sleep(0.005)
        under_way -= 1
        await rig.take(message)

    async with rig.bus(handle, concurrency=4):
        await rig.post(*some(60))
        await rig.drained()
    assert peak == 4


async def test_several_consumers_share_the_work_and_nothing_is_delivered_twice(rig: Rig) -> None:
    messages = some(300)
    by: Counter[int] = Counter()

    def taking(number: int) -> AbstractAsyncContextManager[None]:
        async def take(message: Sent) -> None:
            by[number] += 1
            await asyncio.sleep(0.005)
            await rig.take(message)

        return rig.bus(take)

    async with taking(1), taking(2), taking(3):
        await rig.post(*messages)
        await rig.drained()
    assert sorted(by) == [1, 2, 3]
    assert Counter(message.message_id for message in rig.delivered) == Counter(
        message.message_id for message in messages
    )


async def test_what_was_under_way_when_the_bus_stopped_is_delivered_again(rig: Rig) -> None:
    async def handle(message: Sent) -> None:
        await rig.take(message)
        await asyncio.Event().wait()

    messages = some(3)
    async with rig.bus(handle):
        await rig.post(*messages)
        await rig.has_delivered(3)
    rig.delivered.clear()
    async with rig.bus(rig.take):
        await rig.drained()
    assert sorted(rig.delivered, key=str) == sorted(messages, key=str)


async def killed(rig: Rig, file: Path, until: Callable[[], Awaitable[bool]]) -> int:
    """Run the mortal bus until it dies of a command, or is told to end; give how it ended."""
    arguments = ("-m", "tests.infra.mortal_bus", str(file), *rig.mortal_arguments())
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments)
    ended = asyncio.create_task(process.wait())

    async def is_over() -> bool:
        return ended.done() or await until()

    await eventually(is_over, 30)
    if not ended.done():
        process.terminate()
    return await ended


def lines(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []


async def test_a_command_whose_process_is_killed_before_it_was_settled_is_delivered_again(
    rig: Rig, tmp_path: Path
) -> None:
    message = sent(cancel(), cause=new_id())
    await rig.post(message)
    assert await killed(rig, tmp_path / "handled", rig.is_drained) == -SIGKILL
    async with rig.bus(rig.take):
        await rig.drained()
    assert rig.delivered == [message]


async def test_a_command_that_kills_every_process_is_parked_and_its_neighbours_are_not(
    rig: Rig, tmp_path: Path
) -> None:
    poison, neighbours = sent(cancel(), cause=new_id()), some(20)
    await rig.post(*neighbours[:10], poison, *neighbours[10:])
    file = tmp_path / "handled"
    innocent = {str(message.message_id) for message in neighbours}

    async def is_over() -> bool:
        return innocent <= set(lines(file)) and await rig.rows("SELECT FROM dead_letters") != []

    deaths = 0
    while not await is_over():
        deaths += await killed(rig, file, is_over) == -SIGKILL
        assert deaths < 10
    assert lines(file).count(str(poison.message_id)) == deaths == 3
    rows = await rig.rows("SELECT message_id, error, attempts FROM dead_letters")
    assert [row[:2] for row in rows] == [(poison.message_id, PROCESS_ENDED)]
