"""Commands appended together are stored together, and answered each by itself."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
import pytest

from infra.appender import AlreadyDone, Appended, ConcurrentChange, KeyReused, LogUnavailable
from tests.appending import OpenLog, a_command, an_event, appending, once, open_log


@pytest.fixture
async def opened(database: str) -> AsyncIterator[OpenLog]:
    async with open_log(database) as log:
        yield log


async def test_events_are_stored_as_they_were_encoded(opened: OpenLog) -> None:
    stream_id = uuid4()
    command = a_command(stream_id, events=3)
    assert await opened.appender.append(command) == Appended(3)
    stored = await opened.log.load(stream_id)
    assert [(row.position, row.version, row.state) for row in stored] == [
        (number, number, state) for number, state in enumerate(command.states, start=1)
    ]
    assert tuple(row.recorded for row in stored) == command.events


async def test_one_command_can_change_two_streams(opened: OpenLog) -> None:
    one, other = uuid4(), uuid4()
    await opened.appender.append(a_command(other))
    await opened.appender.append(appending(an_event(one, 1), an_event(other, 2), an_event(one, 2)))
    assert [row.version for row in await opened.log.load(one)] == [1, 2]
    assert [row.version for row in await opened.log.load(other)] == [1, 2]


@pytest.mark.parametrize("version", [1, 3])
async def test_a_version_that_does_not_fit_in_one_stream_keeps_the_command_from_the_other(
    opened: OpenLog, version: int
) -> None:
    one, other = uuid4(), uuid4()
    await opened.appender.append(a_command(other))
    with pytest.raises(ConcurrentChange):
        await opened.appender.append(appending(an_event(one, 1), an_event(other, version)))
    assert await opened.log.load(one) == []


async def test_a_repeat_is_given_the_first_response(opened: OpenLog) -> None:
    stream_id, by = uuid4(), once()
    await opened.appender.append(a_command(stream_id, by=by))
    assert await opened.appender.append(a_command(stream_id, 2, by=by)) == AlreadyDone(1, b"answer")
    assert len(await opened.log.load(stream_id)) == 1


async def test_the_attempt_that_was_stored_is_told_so_however_often_it_is_sent(opened: OpenLog) -> None:
    command = a_command(uuid4())
    assert [await opened.appender.append(command) for _ in range(2)] == [Appended(1), Appended(1)]


async def test_a_key_used_for_something_else_is_refused(opened: OpenLog) -> None:
    await opened.appender.append(a_command(uuid4(), by=once("key", b"one")))
    with pytest.raises(KeyReused):
        await opened.appender.append(a_command(uuid4(), by=once("key", b"other")))
    with pytest.raises(KeyReused):
        await opened.appender.recall(once("key", b"other"))


async def test_a_command_is_recalled_once_it_was_stored(opened: OpenLog) -> None:
    by = once()
    assert await opened.appender.recall(by) is None
    await opened.appender.append(a_command(uuid4(), by=by))
    assert await opened.appender.recall(by) == AlreadyDone(1, b"answer")


async def test_of_many_that_want_one_version_the_first_gets_it(opened: OpenLog) -> None:
    stream_id = uuid4()
    answers = await asyncio.gather(
        *(opened.appender.append(a_command(stream_id)) for _ in range(50)), return_exceptions=True
    )
    assert answers[0] == Appended(1)
    assert {type(answer) for answer in answers[1:]} == {ConcurrentChange}


async def test_of_many_with_one_key_one_is_stored_and_the_others_are_repeats(opened: OpenLog) -> None:
    by = once()
    answers = await asyncio.gather(*(opened.appender.append(a_command(uuid4(), by=by)) for _ in range(50)))
    assert answers == [Appended(1)] + [AlreadyDone(1, b"answer")] * 49
    assert await opened.log.head() == 1


async def test_positions_follow_the_order_in_which_commands_arrived(opened: OpenLog) -> None:
    commands = [a_command(uuid4(), events=2) for _ in range(40)]
    await asyncio.gather(*map(opened.appender.append, commands))
    stored = await opened.log.read(after=0, limit=100)
    assert [row.state for row in stored] == [state for command in commands for state in command.states]


async def test_a_command_that_the_database_refuses_fails_alone(opened: OpenLog) -> None:
    good, bad = a_command(uuid4()), a_command(uuid4(), by=once("nul\0"))
    answers = await asyncio.gather(*map(opened.appender.append, (good, bad, good)), return_exceptions=True)
    assert answers[0] == answers[2] == Appended(1)
    assert isinstance(answers[1], psycopg.DataError)


@pytest.mark.parametrize("versions", [(), (1, 3), (2, 1), (1, 1)])
async def test_versions_that_do_not_follow_each_other_are_a_mistake(opened: OpenLog, versions: tuple[int, ...]) -> None:
    stream_id = uuid4()
    with pytest.raises(ValueError, match=r"contiguous|at least one"):
        await opened.appender.append(appending(*(an_event(stream_id, version) for version in versions)))
    assert await opened.log.head() == 0


@pytest.mark.parametrize(("turns", "stored"), [(0, 19), (5, 20)], ids=["while it waits", "while it is stored"])
async def test_a_caller_who_goes_away_harms_nobody_else(opened: OpenLog, turns: int, stored: int) -> None:
    async with asyncio.TaskGroup() as callers:
        tasks = [callers.create_task(opened.appender.append(a_command(uuid4()))) for _ in range(20)]
        for _ in range(turns + 1):
            await asyncio.sleep(0)
        tasks[3].cancel()
    assert {type(task.result()) for task in tasks if not task.cancelled()} == {Appended}
    assert await opened.log.head() == stored


async def test_more_commands_than_may_wait_are_turned_away_at_once(database: str) -> None:
    async with open_log(database, capacity=5) as opened:
        answers = await asyncio.gather(
            *(opened.appender.append(a_command(uuid4())) for _ in range(8)), return_exceptions=True
        )
    assert [type(answer) for answer in answers] == [Appended] * 5 + [LogUnavailable] * 3


async def test_a_closed_appender_turns_commands_away(database: str) -> None:
    async with open_log(database) as opened:
        pass
    with pytest.raises(LogUnavailable):
        await opened.appender.append(a_command(uuid4()))
