"""What was parked is tried again in order and once, or given up; a rehearsal only says what would happen."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from pydantic import SecretStr

from infra.consumers import CommandConsumer, Consumer, EventConsumer, Forecast, Opens, Rows, Unavailable
from infra.dead_letters import CommandLetter, EventLetter, Letter, NotFound, actions, find, letters, of_stream
from infra.event_log import Stored, load
from infra.guard import Guard
from infra.parked_stream import Result
from infra.redelivery import Redelivery
from infra.runtime import open_runtime
from infra.settings import Settings
from infra.subscription import Subscription
from schemas.commands import Sent, encode, queue_of
from schemas.ids import new_id
from tests.appending import a_command, open_log
from tests.command_examples import reserve, sent
from tests.schemas.corpus import GOLDEN
from tests.waiting import eventually

pytestmark = pytest.mark.servers

NAME = "effects"
Effect = tuple[UUID, int]


@dataclass
class Effects:
    """Writes one row per event; fails for what is poison."""

    poison: set[Effect] = field(default_factory=set)

    async def apply(self, connection: AsyncConnection[Any], batch: Sequence[Stored]) -> None:
        for stored in batch:
            await connection.execute("INSERT INTO effects VALUES (%s, %s)", (stored.stream_id, stored.version))
            if (stored.stream_id, stored.version) in self.poison:
                raise ZeroDivisionError("Ana Souza")

    async def look(self, connection: AsyncConnection[Any], batch: Sequence[Stored]) -> Rows:
        query = "SELECT count(*) FROM effects WHERE stream_id = ANY(%s)"
        row = await (await connection.execute(query, ([stored.stream_id for stored in batch],))).fetchone()
        return {"effects": {"count": row[0]}} if row else {}


@dataclass
class Parked:
    """A log with a subscription, whose failed events are put aside by hand."""

    dsn: str
    pool: AsyncConnectionPool[AsyncConnection[Any]]
    effects: Effects = field(default_factory=Effects)
    forecast: Forecast = field(default_factory=lambda: Forecast("no_op", "Nothing is left to do."))

    @property
    def subscription(self) -> Subscription:
        return Subscription(NAME, frozenset({"order"}), self.effects.apply)

    def redelivery(self, actor: str = "ana") -> Redelivery:
        return Redelivery(Settings(), self.pool, actor=actor, find=self._find)

    async def stream(self, *, events: int, poison: int) -> UUID:
        """Append a stream whose event number `poison` failed, so that it is parked and the later ones wait."""
        stream_id = uuid4()
        async with open_log(self.dsn) as opened:
            await opened.appender.append(a_command(stream_id, events=events))
        async with self.pool.connection() as connection, connection.transaction():
            guard = Guard(connection, NAME)
            for stored in await load(connection, stream_id):
                if stored.version < poison:
                    await self.effects.apply(connection, [stored])
                    await guard.applied({stream_id: stored.version})
                elif stored.version == poison:
                    await guard.park(stored, error="ZeroDivisionError", attempts=3)
                else:
                    await guard.hold(stored)
        return stream_id

    async def command(self, message: Sent | None = None) -> CommandLetter:
        message = message or sent(reserve(), cause=new_id())
        await self.rows(
            "INSERT INTO dead_letters (dead_letter_id, kind, consumer, message_id, body, error, attempts)"
            " VALUES (%s, 'command', %s, %s, %s, 'TypeError', 5)",
            *(new_id(), queue_of(message.command), message.message_id, encode(message)),
        )
        letter = (await self.letters())[-1]
        assert isinstance(letter, CommandLetter)
        return letter

    async def letter(self, stream_id: UUID, version: int) -> EventLetter:
        async with self.pool.connection() as connection:
            stream = await of_stream(connection, NAME, stream_id)
        return next(letter for letter in stream if letter.version == version)

    async def letters(self) -> list[Letter]:
        async with self.pool.connection() as connection:
            return await letters(connection)

    async def statuses(self, stream_id: UUID) -> dict[int, str]:
        async with self.pool.connection() as connection:
            return {letter.version: letter.status for letter in await of_stream(connection, NAME, stream_id)}

    async def applied(self, stream_id: UUID) -> list[int]:
        rows = await self.rows("SELECT version FROM effects WHERE stream_id = %s ORDER BY place", stream_id)
        return [row[0] for row in rows]

    async def reached(self, stream_id: UUID) -> int:
        rows = await self.rows("SELECT version FROM subscription_versions WHERE stream_id = %s", stream_id)
        return int(rows[0][0]) if rows else 0

    async def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        async with self.pool.connection() as connection:
            cursor = await connection.execute(query.encode(), values)
            return await cursor.fetchall() if cursor.description else []

    def _find(self, name: str) -> Opens:
        if name == "nobody":
            raise Unavailable("nobody")

        @asynccontextmanager
        async def opens(settings: Settings, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> AsyncIterator[Consumer]:
            del settings, pool
            if name != NAME:
                yield CommandConsumer(self._rehearse)
            else:
                yield EventConsumer(self.subscription, self.effects.look)

        return opens

    async def _rehearse(self, message: Sent) -> Forecast:
        del message
        return self.forecast


@pytest.fixture
async def parked(module_database: str) -> AsyncIterator[Parked]:
    with psycopg.connect(module_database) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS effects (stream_id uuid, version int, place bigserial)")
        connection.execute(
            "TRUNCATE effects, stored_events, idempotency_records, outbox, dead_letters, dead_letter_actions,"
            " subscription_versions, subscription_positions"
        )
    kwargs = {"autocommit": True}
    async with AsyncConnectionPool(module_database, kwargs=kwargs, min_size=1, max_size=6, open=False) as pool:
        yield Parked(module_database, pool)


def outcomes(results: Sequence[Result]) -> list[str]:
    return [result.outcome for result in results]


async def test_a_retry_applies_what_is_parked_and_what_waits_in_order(parked: Parked) -> None:
    stream_id = await parked.stream(events=4, poison=2)
    results = await parked.redelivery().retry(await parked.letter(stream_id, 2))
    assert outcomes(results) == ["succeed"] * 3
    assert await parked.applied(stream_id) == [1, 2, 3, 4]
    assert await parked.statuses(stream_id) == {2: "retried", 3: "retried", 4: "retried"}
    assert await parked.reached(stream_id) == 4


async def test_naming_one_that_waits_retries_from_the_first(parked: Parked) -> None:
    stream_id = await parked.stream(events=3, poison=1)
    await parked.redelivery().retry(await parked.letter(stream_id, 3))
    assert await parked.applied(stream_id) == [1, 2, 3]


async def test_a_failure_leaves_all_as_it_was_and_names_the_event(parked: Parked) -> None:
    stream_id = await parked.stream(events=4, poison=2)
    parked.effects.poison.add((stream_id, 3))
    results = await parked.redelivery().retry(await parked.letter(stream_id, 2))
    assert outcomes(results) == ["blocked", "fail", "blocked"]
    assert results[1].says.startswith("v3 fails: ZeroDivisionError in apply, test_dead_letters.py line ")
    assert await parked.applied(stream_id) == [1]
    assert await parked.statuses(stream_id) == {2: "parked", 3: "waiting", 4: "waiting"}
    assert await parked.reached(stream_id) == 1


async def test_a_rehearsal_says_what_would_change_and_changes_nothing(parked: Parked) -> None:
    stream_id = await parked.stream(events=3, poison=2)
    results = await parked.redelivery().retry(await parked.letter(stream_id, 2), rehearse=True)
    assert outcomes(results) == ["succeed"] * 2
    assert results[0].changes == ("changes effects: count",)
    assert await parked.applied(stream_id) == [1]
    assert await parked.statuses(stream_id) == {2: "parked", 3: "waiting"}
    assert await parked.reached(stream_id) == 1


async def test_a_rehearsal_says_which_event_would_fail(parked: Parked) -> None:
    stream_id = await parked.stream(events=3, poison=2)
    parked.effects.poison.add((stream_id, 2))
    results = await parked.redelivery().retry(await parked.letter(stream_id, 2), rehearse=True)
    assert outcomes(results) == ["fail", "blocked"]


async def test_what_was_applied_meanwhile_is_not_applied_again(parked: Parked) -> None:
    stream_id = await parked.stream(events=2, poison=2)
    await parked.rows("UPDATE subscription_versions SET version = 2")
    results = await parked.redelivery().retry(await parked.letter(stream_id, 2))
    assert outcomes(results) == ["no_op"]
    assert await parked.applied(stream_id) == [1]
    assert await parked.statuses(stream_id) == {2: "retried"}


async def test_a_second_retry_does_nothing(parked: Parked) -> None:
    stream_id = await parked.stream(events=2, poison=1)
    await parked.redelivery().retry(await parked.letter(stream_id, 1))
    assert outcomes(await parked.redelivery().retry(await parked.letter(stream_id, 1))) == ["no_op"]
    assert await parked.applied(stream_id) == [1, 2]


async def test_operators_and_followers_take_turns_so_that_one_of_them_retries(parked: Parked) -> None:
    stream_id = await parked.stream(events=3, poison=1)
    letter = await parked.letter(stream_id, 1)

    async def all_wait() -> bool:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return (await parked.rows(query)) == [(3,)]

    async with parked.pool.connection() as connection:
        async with connection.transaction():
            await Guard(connection, NAME).open(0)
            trying = [asyncio.create_task(parked.redelivery(actor).retry(letter)) for actor in ("ana", "rui", "eva")]
            await eventually(all_wait)
        tried = await asyncio.gather(*trying)
    assert sorted(outcomes(results) for results in tried) == [["no_op"], ["no_op"], ["succeed"] * 3]
    assert await parked.applied(stream_id) == [1, 2, 3]


async def test_an_event_that_nobody_can_read_says_where(parked: Parked) -> None:
    stream_id = await parked.stream(events=1, poison=1)
    await parked.rows('UPDATE stored_events SET state = \'{"event": "Ana Souza"}\'')
    parked.effects.apply = _reading  # type: ignore[method-assign]
    [result] = await parked.redelivery().retry(await parked.letter(stream_id, 1), rehearse=True)
    assert result.outcome == "fail"
    assert "cannot be read" in result.says
    assert "Ana" not in result.says


async def _reading(connection: AsyncConnection[Any], batch: Sequence[Stored]) -> None:
    del connection
    for stored in batch:
        assert stored.recorded.event_id.int


async def test_a_discarded_event_is_stepped_over_and_what_waits_still_waits(parked: Parked) -> None:
    stream_id = await parked.stream(events=3, poison=2)
    results = await parked.redelivery().discard(await parked.letter(stream_id, 2), "a test order")
    assert outcomes(results) == ["succeed", "blocked"]
    assert await parked.statuses(stream_id) == {2: "discarded", 3: "waiting"}
    assert (await parked.applied(stream_id), await parked.reached(stream_id)) == ([1], 2)


async def test_what_waits_behind_a_discarded_event_can_be_retried_later(parked: Parked) -> None:
    stream_id = await parked.stream(events=3, poison=2)
    await parked.redelivery().discard(await parked.letter(stream_id, 2), "a test order")
    [left] = await parked.letters()
    await parked.redelivery().retry(left)
    assert (await parked.applied(stream_id), await parked.reached(stream_id)) == ([1, 3], 3)


async def test_a_discard_can_release_what_waits(parked: Parked) -> None:
    stream_id = await parked.stream(events=4, poison=2)
    results = await parked.redelivery().discard(await parked.letter(stream_id, 2), "a test order", release=True)
    assert outcomes(results) == ["succeed"] * 3
    assert await parked.applied(stream_id) == [1, 3, 4]
    assert await parked.statuses(stream_id) == {2: "discarded", 3: "retried", 4: "retried"}
    assert await parked.reached(stream_id) == 4


async def test_a_release_that_fails_discards_nothing(parked: Parked) -> None:
    stream_id = await parked.stream(events=3, poison=2)
    parked.effects.poison.add((stream_id, 3))
    results = await parked.redelivery().discard(await parked.letter(stream_id, 2), "a test order", release=True)
    assert outcomes(results) == ["blocked", "fail"]
    assert await parked.statuses(stream_id) == {2: "parked", 3: "waiting"}
    assert await parked.reached(stream_id) == 1


@pytest.mark.parametrize("given_up", [3, 4])
async def test_one_that_waits_can_be_discarded_before_the_others_are_retried(parked: Parked, given_up: int) -> None:
    stream_id = await parked.stream(events=4, poison=2)
    await parked.redelivery().discard(await parked.letter(stream_id, given_up), "a test order")
    assert await parked.reached(stream_id) == 1
    await parked.redelivery().retry(await parked.letter(stream_id, 2))
    assert await parked.applied(stream_id) == [version for version in (1, 2, 3, 4) if version != given_up]
    assert await parked.reached(stream_id) == 4


async def test_who_did_what_and_why_is_kept(parked: Parked) -> None:
    stream_id = await parked.stream(events=2, poison=1)
    await parked.redelivery("ana").discard(await parked.letter(stream_id, 1), "a test order")
    await parked.redelivery("rui").retry(await parked.letter(stream_id, 2))
    async with parked.pool.connection() as connection:
        done = [
            (each.action, each.actor, each.reason)
            for version in (1, 2)
            for each in await actions(connection, await parked.letter(stream_id, version))
        ]
    assert done == [("discarded", "ana", "a test order"), ("retried", "rui", None)]


async def test_the_list_holds_what_blocks(parked: Parked) -> None:
    first, second = await parked.stream(events=3, poison=1), await parked.stream(events=3, poison=2)
    await parked.redelivery().discard(await parked.letter(second, 2), "a test order")
    command = await parked.command()
    found = [(letter.version, letter.behind) for letter in await parked.letters() if isinstance(letter, EventLetter)]
    assert sorted(found) == [(1, 2), (3, 0)]
    assert command.dead_letter_id in {letter.dead_letter_id for letter in await parked.letters()}
    async with parked.pool.connection() as connection:
        waiting = await letters(connection, consumer=NAME, kind="event", statuses=["waiting"])
    assert len(waiting) == 3
    assert {letter.stream_id for letter in waiting if isinstance(letter, EventLetter)} == {first, second}


async def test_a_letter_is_found_by_how_its_id_begins_or_ends(parked: Parked) -> None:
    letter = await parked.command()
    await parked.command()
    async with parked.pool.connection() as connection:
        for name in (str(letter.dead_letter_id), letter.short_id, letter.dead_letter_id.hex[:30].upper()):
            assert (await find(connection, name)).dead_letter_id == letter.dead_letter_id


@pytest.mark.parametrize("name", ["01", "", "%", "xyz", "-", "f" * 40])
async def test_an_id_of_none_or_of_several_letters_is_none(parked: Parked, name: str) -> None:
    for _ in range(2):
        await parked.command()
    async with parked.pool.connection() as connection:
        with pytest.raises(NotFound):
            await find(connection, name)


async def test_a_command_goes_back_under_its_old_id_and_as_it_was(parked: Parked) -> None:
    letter = await parked.command()
    assert outcomes(await parked.redelivery().retry(letter)) == ["succeed"]
    assert await parked.rows("SELECT message_id, queue, body, attempts FROM outbox") == [
        (letter.message_id, "orders.inbox", letter.body, 0)
    ]
    assert await parked.letters() == []


async def test_its_consumer_is_woken(parked: Parked) -> None:
    letter = await parked.command()
    async with await AsyncConnection.connect(parked.dsn, autocommit=True) as listening:
        await listening.execute('LISTEN "orderflow_outbox_orders.inbox"')
        await parked.redelivery().retry(letter)
        assert [notice.channel async for notice in listening.notifies(timeout=5, stop_after=1)]


async def test_of_two_operators_at_once_one_sends_the_command(parked: Parked) -> None:
    letter = await parked.command()
    tried = await asyncio.gather(*(parked.redelivery().retry(letter) for _ in range(3)))
    assert sorted(outcomes(results) for results in tried) == [["no_op"], ["no_op"], ["succeed"]]
    assert len(await parked.rows("SELECT 1 FROM outbox")) == 1


async def test_a_command_that_has_gone_its_way_since_is_not_sent_again(parked: Parked) -> None:
    letter = await parked.command()
    await parked.redelivery().retry(letter)
    await parked.rows("DELETE FROM outbox")
    assert outcomes(await parked.redelivery().retry(letter)) == ["no_op"]
    assert await parked.rows("SELECT 1 FROM outbox") == []


async def test_a_rehearsed_command_is_not_sent(parked: Parked) -> None:
    letter = await parked.command()
    assert outcomes(await parked.redelivery().retry(letter, rehearse=True)) == ["no_op"]
    assert await parked.rows("SELECT 1 FROM outbox") == []
    assert await parked.letters() == [letter]


async def test_a_command_that_nobody_can_read_says_where(parked: Parked) -> None:
    await parked.command()
    await parked.rows('UPDATE dead_letters SET body = \'{"actor": "Ana Souza"}\'')
    [letter] = await parked.letters()
    [result] = await parked.redelivery().retry(letter, rehearse=True)
    assert (result.outcome, "Ana" in result.says) == ("fail", False)


async def test_a_discarded_command_is_not_sent_any_more(parked: Parked) -> None:
    letter = await parked.command()
    await parked.redelivery().discard(letter, "asked twice")
    assert await parked.letters() == []
    async with parked.pool.connection() as connection:
        gone = await find(connection, letter.short_id)
    assert outcomes(await parked.redelivery().retry(gone)) == ["no_op"]
    assert await parked.rows("SELECT 1 FROM outbox") == []


async def test_the_relay_is_released_with_what_waits(parked: Parked) -> None:
    stream_id = await parked.stream(events=3, poison=2)
    await parked.rows("UPDATE dead_letters SET consumer = 'relay'")
    [letter] = await parked.letters()
    assert outcomes(await parked.redelivery().retry(letter)) == ["succeed"] * 2
    assert await parked.rows("SELECT version, status FROM dead_letters ORDER BY version") == [
        (2, "retried"),
        (3, "retried"),
    ]
    assert await parked.applied(stream_id) == [1]


async def test_an_event_that_the_relay_cannot_read_would_fail_there_again(parked: Parked) -> None:
    await parked.stream(events=2, poison=1)
    await parked.rows("UPDATE dead_letters SET consumer = 'relay'")
    await parked.rows("UPDATE stored_events SET state = '{}' WHERE originator_version = 1")
    [letter] = await parked.letters()
    assert outcomes(await parked.redelivery().retry(letter, rehearse=True)) == ["fail", "blocked"]
    assert await parked.letters() == [letter]


async def test_the_relay_would_publish_the_form_that_is_stored(parked: Parked) -> None:
    stream_id = await parked.stream(events=2, poison=1)
    await parked.rows("UPDATE dead_letters SET consumer = 'relay'")
    old = (GOLDEN / "payment.declined.v1.json").read_bytes()
    await parked.rows(
        "UPDATE stored_events SET topic = 'payment.declined.v1', state = %s"
        " WHERE originator_id = %s AND originator_version = 1",
        *(old, stream_id),
    )
    [letter] = await parked.letters()
    [first, _] = await parked.redelivery().retry(letter, rehearse=True)
    assert first.says == "The relay would try to publish it as payment.declined.v1."


@pytest.mark.parametrize("release", [False, True])
async def test_the_relay_leaves_out_what_is_discarded(parked: Parked, *, release: bool) -> None:
    await parked.stream(events=3, poison=1)
    await parked.rows("UPDATE dead_letters SET consumer = 'relay'")
    [letter] = await parked.letters()
    results = await parked.redelivery().discard(letter, "a test order", release=release)
    assert outcomes(results) == ["succeed", *(["succeed"] if release else ["blocked"]) * 2]
    statuses = [row[0] for row in await parked.rows("SELECT status FROM dead_letters ORDER BY version")]
    assert statuses == ["discarded", *(["retried"] if release else ["waiting"]) * 2]


async def test_a_letter_of_nobody_says_so(parked: Parked) -> None:
    await parked.stream(events=1, poison=1)
    await parked.rows("UPDATE dead_letters SET consumer = 'nobody'")
    [letter] = await parked.letters()
    with pytest.raises(Unavailable):
        await parked.redelivery().retry(letter)


@asynccontextmanager
async def following(parked: Parked, redis_url: str) -> AsyncIterator[None]:
    """Let a follower run as it does in a service."""
    settings = Settings(postgres_dsn=SecretStr(parked.dsn), redis_url=SecretStr(redis_url))
    async with asyncio.TaskGroup() as tasks, open_runtime(settings, tasks) as runtime:
        runtime.subscriptions.subscribe(parked.subscription)
        running = asyncio.create_task(runtime.subscriptions.run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.wait([running])


async def test_a_retry_beside_a_running_follower_applies_each_event_once_and_in_order(
    parked: Parked, redis_url: str
) -> None:
    stream_id = await parked.stream(events=3, poison=2)
    letter = await parked.letter(stream_id, 2)

    async def go_on() -> None:
        async with open_log(parked.dsn) as opened:
            for version in range(4, 24):
                await opened.appender.append(a_command(stream_id, version))

    async def everything() -> bool:
        return await parked.reached(stream_id) == 23

    async with following(parked, redis_url):
        appending = asyncio.create_task(go_on())
        while not appending.done():
            await parked.redelivery().retry(letter)
            letter = await parked.letter(stream_id, max(await parked.statuses(stream_id)))
        await appending
        for left in await parked.letters():
            await parked.redelivery().retry(left)
        await eventually(everything)
    assert await parked.applied(stream_id) == list(range(1, 24))


async def test_a_discarded_event_is_left_out_of_a_rebuild(parked: Parked, redis_url: str) -> None:
    stream_id = await parked.stream(events=4, poison=2)
    await parked.redelivery().discard(await parked.letter(stream_id, 2), "a test order", release=True)
    await parked.rows("TRUNCATE effects, subscription_versions, subscription_positions")

    async def everything() -> bool:
        return await parked.reached(stream_id) == 4

    async with following(parked, redis_url):
        await eventually(everything)
    assert await parked.applied(stream_id) == [1, 3, 4]


async def test_what_was_retried_and_fails_in_a_rebuild_is_parked_again(parked: Parked, redis_url: str) -> None:
    stream_id = await parked.stream(events=3, poison=2)
    await parked.redelivery().retry(await parked.letter(stream_id, 2))
    await parked.rows("TRUNCATE effects, subscription_versions, subscription_positions")
    parked.effects.poison.add((stream_id, 2))

    async def put_aside() -> bool:
        return await parked.statuses(stream_id) == {2: "parked", 3: "waiting"}

    async with following(parked, redis_url):
        await eventually(put_aside)
    assert await parked.applied(stream_id) == [1]
