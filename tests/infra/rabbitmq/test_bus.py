"""What becomes of a command in RabbitMQ: each failure, each lost connection and each stop has its way through it."""

import asyncio
from datetime import timedelta
from functools import partial
from itertools import pairwise
from time import monotonic

import aio_pika
from aio_pika import Message

from infra.bus import PROCESS_ENDED
from infra.rabbitmq.bus import Limits, RabbitBus
from infra.rabbitmq.topology import DELIVERY_LIMIT, declare, retry_queue, suspects_queue
from schemas.commands import Sent, encode
from tests.infra.bus_rigs import RabbitRig, refusing, running, some
from tests.infra.rabbitmq.line import line_to
from tests.infra.rabbitmq.wire import copied, got, publish
from tests.waiting import eventually

MINUTES = (timedelta(minutes=10), timedelta(minutes=20), timedelta(minutes=30))
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def traced() -> Sent:
    [message] = some(1)
    return message.model_copy(update={"trace": message.trace.model_copy(update={"traceparent": TRACEPARENT})})


async def test_a_command_says_on_the_wire_what_it_is_and_what_it_comes_from(rabbit: RabbitRig) -> None:
    message = traced()
    await rabbit.post(message)
    arrived = await got(rabbit)
    assert arrived.body == encode(message)
    assert arrived.message_id == str(message.message_id)
    assert arrived.type == "order.confirm.v1"
    assert arrived.correlation_id == str(message.trace.correlation_id)
    assert arrived.headers == {"traceparent": TRACEPARENT}
    assert arrived.delivery_mode == 2


async def test_a_failed_command_goes_up_the_ladder_with_its_trace_and_its_error(rabbit: RabbitRig) -> None:
    message = traced()
    async with await aio_pika.connect(rabbit.url) as connection:
        await declare(connection, MINUTES)
    bus = RabbitBus(rabbit.url, Limits(ladder=MINUTES))
    bus.consume("orders.inbox", refusing(9, rabbit.take), concurrency=1)
    async with running(bus.run()):
        await rabbit.post(message)
        for attempt, pause in enumerate(MINUTES, start=1):
            waiting = await got(rabbit, retry_queue("orders.inbox", pause))
            assert waiting.headers == {
                "orderflow-attempt": attempt,
                "orderflow-error": "ConnectionError: <address> hung up",
                "traceparent": TRACEPARENT,
            }
            assert (waiting.message_id, waiting.type) == (str(message.message_id), "order.confirm.v1")
            await publish(rabbit, copied(waiting))
        found = await eventually(partial(rabbit.rows, "SELECT message_id, attempts FROM dead_letters"))
    assert found == [(message.message_id, 4)]


async def test_a_step_of_the_ladder_is_waited_out(rabbit: RabbitRig) -> None:
    times: list[float] = []

    async def handle(_: Sent) -> None:
        times.append(monotonic())
        raise ConnectionError

    async with rabbit.bus(handle):
        await rabbit.post(*some(1))
        await rabbit.drained()
    waited = [timedelta(seconds=later - earlier) for earlier, later in pairwise(times)]
    assert len(waited) == len(rabbit.ladder)
    assert all(wait >= pause for wait, pause in zip(waited, rabbit.ladder, strict=True))


async def test_a_handler_that_hangs_has_failed(rabbit: RabbitRig) -> None:
    async def handle(_: Sent) -> None:
        await asyncio.Event().wait()

    bus = RabbitBus(rabbit.url, Limits(ladder=rabbit.ladder, handle_seconds=0.05))
    bus.consume("orders.inbox", handle, concurrency=1)
    async with running(bus.run()):
        await rabbit.post(*some(1))
        found = await eventually(partial(rabbit.rows, "SELECT error, attempts FROM dead_letters"))
    assert found == [("TimeoutError", 3)]


async def test_what_nobody_can_read_is_parked_at_once_and_once(rabbit: RabbitRig) -> None:
    async with rabbit.bus(rabbit.take):
        await publish(rabbit, Message(b"{}", headers={"orderflow-attempt": "many"}))
        for _ in range(2):
            await publish(rabbit, Message(b"no json", message_id="no-id"))

        async def all_parked() -> list[tuple[str, int]]:
            found = await rabbit.rows("SELECT error, attempts FROM dead_letters ORDER BY error DESC")
            return found if len(found) == 2 else []

        found = await eventually(all_parked)
    await rabbit.is_gone()
    assert found == [
        ("ValidationError: 6 validation errors for Sent", 1),
        ("ValidationError: 1 validation error for Sent", 1),
    ]
    assert len(await rabbit.rows("SELECT FROM dead_letters")) == 2


async def test_a_bus_that_is_stopped_gives_back_what_was_under_way_and_counts_no_attempt(rabbit: RabbitRig) -> None:
    async def handle(message: Sent) -> None:
        await rabbit.take(message)
        await asyncio.Event().wait()

    [message] = some(1)
    async with rabbit.bus(handle):
        await rabbit.post(message)
        await rabbit.has_delivered(1)
    back = await got(rabbit)
    assert (back.message_id, back.headers, back.redelivered) == (
        str(message.message_id),
        {"orderflow-attempt": 0},
        False,
    )


async def test_a_bus_that_is_stopped_lets_a_handler_come_to_its_end(rabbit: RabbitRig) -> None:
    begun = asyncio.Event()

    async def handle(message: Sent) -> None:
        begun.set()
        await asyncio.sleep(0.1)
        await rabbit.take(message)

    bus = RabbitBus(rabbit.url, Limits(ladder=rabbit.ladder, grace_seconds=20))
    bus.consume("orders.inbox", handle, concurrency=1)
    async with running(bus.run()):
        await rabbit.post(*some(1))
        await begun.wait()
    assert len(rabbit.delivered) == 1
    assert await rabbit.ready() == [0] * 5


async def test_a_cut_line_is_opened_again_and_what_was_in_flight_is_delivered_again(rabbit: RabbitRig) -> None:
    async with line_to(rabbit.url) as (url, line):

        async def handle(message: Sent) -> None:
            await rabbit.take(message)
            if len(rabbit.delivered) == 1:
                line.cut()
                await asyncio.sleep(0.05)

        bus = RabbitBus(url, Limits(ladder=rabbit.ladder))
        bus.consume("orders.inbox", handle, concurrency=4)
        messages = some(3)
        async with running(bus.run()):
            await rabbit.post(messages[0])
            await rabbit.has_delivered(2)
            await rabbit.post(*messages[1:])
            await rabbit.has_delivered(4)
    assert [message.message_id for message in rabbit.delivered[:2]] == [messages[0].message_id] * 2
    await rabbit.is_gone()
    assert await rabbit.rows("SELECT FROM dead_letters") == []


async def test_a_line_that_is_cut_while_nothing_is_under_way_is_opened_again(rabbit: RabbitRig) -> None:
    async def is_consumed() -> bool:
        async with rabbit.channel() as channel:
            last = await channel.declare_queue(suspects_queue("orders.inbox"), passive=True)
        return last.declaration_result.consumer_count == 1

    async with line_to(rabbit.url) as (url, line):
        bus = RabbitBus(url, Limits(ladder=rabbit.ladder))
        bus.consume("orders.inbox", rabbit.take, concurrency=1)
        async with running(bus.run()):
            await eventually(is_consumed)
            line.cut()
            await rabbit.post(*some(1))
            await rabbit.has_delivered(1)


async def test_a_queue_that_was_deleted_is_declared_and_consumed_again(rabbit: RabbitRig) -> None:
    async with rabbit.bus(rabbit.take):
        await rabbit.post(*some(1))
        await rabbit.has_delivered(1)
        async with rabbit.channel() as channel:
            await channel.queue_delete("orders.inbox")
        await rabbit.post(*some(1))
        await rabbit.has_delivered(2)


async def test_a_command_that_comes_back_is_handled_apart_from_the_others(rabbit: RabbitRig) -> None:
    [suspect, fresh] = some(2)
    await rabbit.post(suspect)
    await end_while_holding(rabbit.url, "orders.inbox", times=1)
    hold = asyncio.Event()

    async def handle(message: Sent) -> None:
        await rabbit.take(message)
        if message == suspect:
            await hold.wait()

    async with rabbit.bus(handle, concurrency=1):
        await rabbit.has_delivered(1)
        await rabbit.post(fresh)
        await rabbit.has_delivered(2)
        hold.set()
        await rabbit.drained()
    assert rabbit.delivered == [suspect, fresh]


async def test_what_the_broker_itself_gives_up_is_parked(rabbit: RabbitRig) -> None:
    [message] = some(1)
    await publish(
        rabbit, Message(encode(message), message_id=str(message.message_id), headers={"orderflow-attempt": 1})
    )
    await end_while_holding(rabbit.url, "orders.inbox", times=DELIVERY_LIMIT + 1)
    found = await eventually(partial(rabbit.rows, "SELECT consumer, message_id, error, attempts FROM dead_letters"))
    assert found == [("orders.inbox", message.message_id, PROCESS_ENDED, DELIVERY_LIMIT + 2)]


async def end_while_holding(url: str, queue: str, *, times: int) -> None:
    """Be a consumer that takes a message and ends."""
    for _ in range(times):
        async with await aio_pika.connect(url) as connection, connection.channel() as channel:
            source = await channel.get_queue(queue, ensure=False)
            await eventually(partial(source.get, fail=False))


async def test_commands_that_follow_each_other_on_the_way_to_be_handled_alone_are_all_handled(
    rabbit: RabbitRig,
) -> None:
    for message in some(3):
        await publish(rabbit, Message(encode(message)), suspects_queue("orders.inbox"))
    async with rabbit.bus(rabbit.take):
        await rabbit.has_delivered(3)
    await rabbit.is_gone()
