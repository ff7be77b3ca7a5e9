"""Tries dead letters again, for real or as a rehearsal that is rolled back, and gives them up."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from pydantic import ValidationError

from infra.consumers import CommandConsumer, EventConsumer, Opens, Unavailable, opener
from infra.dead_letters import CommandLetter, EventLetter, Letter, claim, lock_stream, mark, of_stream
from infra.event_log import Stored, load
from infra.parked_stream import CannotApply, ParkedStream, Result, overtaken, unreadable
from infra.settings import Settings
from schemas.commands import decode

RELAY: Final = "relay"
"""Publishes by itself what is marked as retried; there is nothing to apply."""

_POST: Final = """
INSERT INTO outbox (message_id, queue, body) VALUES (%(message_id)s, %(queue)s, %(body)s) ON CONFLICT DO NOTHING
"""
_WAKE: Final = "SELECT pg_notify('orderflow_outbox_' || %s, '')"


class Redelivery:
    """Safe beside running followers and other operators. Raises Unavailable, Outage, psycopg.OperationalError."""

    def __init__(
        self,
        settings: Settings,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        *,
        actor: str,
        find: Callable[[str], Opens] = opener,
    ) -> None:
        """`find` gives a consumer by name; `actor` is who is written down."""
        self._settings = settings
        self._pool = pool
        self._actor = actor
        self._find = find

    async def retry(self, letter: Letter, *, rehearse: bool = False) -> list[Result]:
        """Send a command again, or apply a parked event with all that waits behind it: all of them or none.

        Gives a result for each letter concerned, in the order of the stream.
        """
        if not letter.is_open:
            return [overtaken(letter)]
        if isinstance(letter, CommandLetter):
            return [await (self._rehearse(letter) if rehearse else self._post(letter))]
        if _is_relayed(letter):
            return await self._release(letter, rehearse=rehearse)
        return await self._apply(letter, rehearse=rehearse)

    async def discard(self, letter: Letter, reason: str, *, release: bool = False) -> list[Result]:
        """Give a letter up for ever. What waits behind an event goes on with `release` only: all of it or nothing."""
        if not letter.is_open:
            return [overtaken(letter)]
        if isinstance(letter, CommandLetter):
            return [await self._discard_command(letter, reason)]
        if _is_relayed(letter):
            return await self._hold_back(letter, reason, release=release)
        if release:
            return await self._apply(letter, without=reason)
        async with self._pool.connection() as connection, connection.transaction():
            stream = await self._locked(connection, letter)
            if not stream.now(letter).is_open:
                return [overtaken(stream.now(letter))]
            discarded = await stream.discard(letter, reason)
            return [discarded, *map(_waits, stream.open_letters)]

    async def _apply(self, letter: EventLetter, *, rehearse: bool = False, without: str | None = None) -> list[Result]:
        results: list[Result] = []
        try:
            async with (
                self._event_consumer(letter.consumer) as consumer,
                self._pool.connection() as connection,
                connection.transaction(),
            ):
                stream = await self._locked(connection, letter)
                if not stream.now(letter).is_open:
                    return [overtaken(stream.now(letter))]
                if without is not None:
                    results.append(await stream.discard(letter, without))
                results += await stream.apply(consumer, rehearse=rehearse)
                if rehearse:
                    raise psycopg.Rollback
        except CannotApply as failed:
            kept = [Result(each.letter, "blocked", "It is not discarded.") for each in results]
            return kept + failed.results
        return results

    async def _post(self, letter: CommandLetter) -> Result:
        async with self._pool.connection() as connection, connection.transaction():
            if not await claim(connection, letter):
                return _changed(letter)
            values = {"message_id": letter.message_id, "queue": letter.consumer, "body": letter.body}
            posted = await connection.execute(_POST, values)
            await connection.execute(_WAKE, (letter.consumer,))
            await mark(connection, [letter], "retried", actor=self._actor)
        if posted.rowcount:
            return Result(letter, "succeed", f"It is on its way to {letter.consumer}.")
        return Result(letter, "no_op", f"It was on its way to {letter.consumer} already.")

    async def _rehearse(self, letter: CommandLetter) -> Result:
        try:
            sent = decode(letter.body)
        except ValidationError as error:
            return Result(letter, "fail", unreadable(error))
        async with self._find(letter.consumer)(self._settings, self._pool) as consumer:
            if not isinstance(consumer, CommandConsumer):
                raise Unavailable(f"{letter.consumer} takes no commands.")
            forecast = await consumer.rehearse(sent)
        return Result(letter, forecast.outcome, forecast.says, forecast.changes)

    async def _discard_command(self, letter: CommandLetter, reason: str) -> Result:
        async with self._pool.connection() as connection, connection.transaction():
            if not await claim(connection, letter):
                return _changed(letter)
            await mark(connection, [letter], "discarded", actor=self._actor, reason=reason)
        return Result(letter, "succeed", "It is discarded: the command is never carried out.")

    async def _release(self, letter: EventLetter, *, rehearse: bool) -> list[Result]:
        async with self._pool.connection() as connection, connection.transaction():
            waiting = await self._relayed(connection, letter)
            if rehearse:
                return _readable(waiting, await load(connection, letter.stream_id))
            await mark(connection, waiting, "retried", actor=self._actor)
        return [Result(each, "succeed", "The relay tries to publish it.") for each in waiting]

    async def _hold_back(self, letter: EventLetter, reason: str, *, release: bool) -> list[Result]:
        async with self._pool.connection() as connection, connection.transaction():
            waiting = [each for each in await self._relayed(connection, letter) if each.version != letter.version]
            await mark(connection, [letter], "discarded", actor=self._actor, reason=reason)
            if release:
                await mark(connection, waiting, "retried", actor=self._actor)
        discarded = Result(letter, "succeed", "It is discarded: the relay never publishes it.")
        says = "The relay tries to publish it."
        return [discarded, *(Result(each, "succeed", says) if release else _waits(each) for each in waiting)]

    async def _relayed(self, connection: AsyncConnection[Any], letter: EventLetter) -> list[EventLetter]:
        """Lock what the relay has put aside of a stream, and give what is open."""
        await lock_stream(connection, letter.consumer, letter.stream_id)
        return [each for each in await of_stream(connection, letter.consumer, letter.stream_id) if each.is_open]

    async def _locked(self, connection: AsyncConnection[Any], letter: EventLetter) -> ParkedStream:
        return await ParkedStream.locked(connection, letter.consumer, letter.stream_id, actor=self._actor)

    @asynccontextmanager
    async def _event_consumer(self, name: str) -> AsyncIterator[EventConsumer]:
        async with self._find(name)(self._settings, self._pool) as consumer:
            if not isinstance(consumer, EventConsumer):
                raise Unavailable(f"{name} applies no events.")
            yield consumer


def _is_relayed(letter: EventLetter) -> bool:
    """Whether a relay has put it aside: the one for everybody, or that of a pinned consumer."""
    return letter.consumer.partition(".")[0] == RELAY


def _waits(letter: EventLetter) -> Result:
    return Result(letter, "blocked", "It still waits.")


def _readable(letters: Sequence[EventLetter], stream: Sequence[Stored]) -> list[Result]:
    """Tell up to where the relay can read a stream; what Kafka says to an event shows only there."""
    events = {stored.version: stored for stored in stream}
    results: list[Result] = []
    for letter in letters:
        if not all(result.well for result in results):
            results.append(_waits(letter))
            continue
        stored = events[letter.version]
        try:
            _ = stored.recorded
        except ValidationError as error:
            results.append(Result(letter, "fail", unreadable(error)))
        else:
            results.append(Result(letter, "succeed", f"The relay would try to publish it as {stored.topic}."))
    return results


def _changed(letter: CommandLetter) -> Result:
    return Result(letter, "no_op", "Somebody else has dealt with it meanwhile.")
