"""Whatever happens to the database, to the broker or between them: what was posted arrives, and nothing is lost."""

import asyncio
import logging
from collections import Counter

import psycopg
import pytest

from infra.rabbitmq.outbox import Publisher
from tests.command_examples import authorise, sent
from tests.infra.bus_rigs import RabbitRig, running, some
from tests.infra.rabbitmq.line import line_to
from tests.infra.rabbitmq.wire import got
from tests.waiting import eventually


async def is_sent(rig: RabbitRig) -> None:
    async def empty() -> bool:
        return await rig.rows("SELECT FROM outbox") == []

    await eventually(empty)


async def test_several_publishers_share_an_outbox_and_publish_nothing_twice(idle: RabbitRig) -> None:
    publishers = [Publisher(idle.pool, idle.signals, idle.url, ladder=idle.ladder) for _ in range(2)]
    async with running(publishers[0].run()), running(publishers[1].run()):
        await asyncio.gather(*(idle.post(*some(50)) for _ in range(20)))
        await is_sent(idle)
    assert (await idle.ready())[0] == 1_000


async def test_what_no_queue_takes_is_kept_while_the_others_go_out_and_goes_out_when_one_does(
    rabbit: RabbitRig, caplog: pytest.LogCaptureFixture
) -> None:
    await rabbit.post(*some(1))
    await got(rabbit)
    async with rabbit.channel() as channel:
        await channel.queue_delete("payments.work")
    unroutable = sent(authorise())
    with caplog.at_level(logging.ERROR, "infra.rabbitmq.outbox"):
        await rabbit.post(unroutable, *some(3))
        await eventually(lambda: kept(rabbit))
    assert [(await got(rabbit)).type for _ in range(3)] == ["order.confirm.v1"] * 3
    assert "payments.work: 1 not taken by RabbitMQ, again in 1 s: PublishError" in caplog.text
    await is_sent(rabbit)
    assert (await got(rabbit, "payments.work")).message_id == str(unroutable.message_id)


async def kept(rig: RabbitRig) -> bool:
    rows = await rig.rows("SELECT attempts, last_error, available_at > now() FROM outbox")
    return [(attempts, error[:12], later) for attempts, error, later in rows if error] == [(0, "PublishError", True)]


async def test_commands_wait_in_the_outbox_while_there_is_no_broker(idle: RabbitRig) -> None:
    async with line_to(idle.url) as (url, line):
        line.is_down = True
        async with running(Publisher(idle.pool, idle.signals, url, ladder=idle.ladder).run()):
            await idle.post(*some(10))
            await asyncio.sleep(0)
            assert await idle.rows("SELECT count(*), max(attempts) FROM outbox WHERE last_error IS NULL") == [(10, 0)]
            line.is_down = False
            await is_sent(idle)
    assert (await idle.ready())[0] == 10


async def test_nothing_is_lost_when_the_line_is_cut_again_and_again(idle: RabbitRig) -> None:
    messages = some(300)
    async with (
        line_to(idle.url) as (url, line),
        running(Publisher(idle.pool, idle.signals, url, ladder=idle.ladder).run()),
        idle.bus(idle.take),
    ):
        for number in range(0, 300, 100):
            await idle.post(*messages[number : number + 100])
            await idle.has_delivered(number + 20)
            line.cut()
        await is_sent(idle)
        await idle.drained()
    assert {message.message_id for message in idle.delivered} == {message.message_id for message in messages}


async def test_what_was_published_but_not_deleted_is_published_again_under_its_id(idle: RabbitRig) -> None:
    [message] = some(1)
    await idle.execute(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
        "CREATE TRIGGER no_delete BEFORE DELETE ON outbox EXECUTE FUNCTION fail();"
    )
    await idle.post(message)
    with pytest.raises(psycopg.errors.RaiseException, match="no"):
        await Publisher(idle.pool, idle.signals, idle.url, ladder=idle.ladder).run()
    await idle.execute("DROP TRIGGER no_delete ON outbox")
    async with running(Publisher(idle.pool, idle.signals, idle.url, ladder=idle.ladder).run()):
        await is_sent(idle)
    assert Counter([(await got(idle)).message_id for _ in range(2)]) == {str(message.message_id): 2}
    await idle.is_gone()


async def test_publishing_and_draining_go_on_after_connections_to_the_database_were_cut(rabbit: RabbitRig) -> None:
    async def refuse(_: object) -> None:
        raise ConnectionError

    async with rabbit.bus(refuse):
        await rabbit.post(*some(1))
        await rabbit.drained()
        with psycopg.connect(rabbit.dsn, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            other.execute(
                "INSERT INTO outbox (message_id, queue, body) VALUES (gen_random_uuid(), 'orders.inbox', %b)",
                (some(1)[0].model_dump_json().encode(),),
            )

        async def both() -> bool:
            async with await psycopg.AsyncConnection.connect(rabbit.dsn) as looking:
                return (await looking.execute("SELECT FROM dead_letters")).rowcount == 2

        await eventually(both)
