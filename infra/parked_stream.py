"""One stream that a subscription has parked: tried again in order, all of it or nothing, or given up in part."""

from dataclasses import dataclass
from typing import Any, Final, Self
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from pydantic import ValidationError

from infra.consumers import EventConsumer, Forecast, Outcome, differences
from infra.dead_letters import EventLetter, Letter, mark, of_stream
from infra.event_log import Stored, load
from infra.follower import described, is_outage
from infra.guard import Guard


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one letter, or would become of it."""

    letter: Letter
    outcome: Outcome
    says: str
    changes: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        return self.outcome in ("succeed", "no_op")


def overtaken(letter: Letter) -> Result:
    return Result(letter, "no_op", f"It was {letter.status} already.")


class CannotApply(Exception):  # noqa: N818  # ends the transaction, which undoes everything
    def __init__(self, results: list[Result]) -> None:
        super().__init__("An event of the stream fails")
        self.results = results


class ParkedStream:
    """Everything happens in the caller's transaction, under the row lock that makes followers take turns."""

    def __init__(
        self, connection: AsyncConnection[Any], guard: Guard, letters: list[EventLetter], reached: int, actor: str
    ) -> None:
        self._connection = connection
        self._guard = guard
        self._letters = letters
        self._reached = reached
        self._actor = actor

    @classmethod
    async def locked(cls, connection: AsyncConnection[Any], subscription: str, stream_id: UUID, *, actor: str) -> Self:
        """Take the lock, then read how things are."""
        guard = Guard(connection, subscription)
        await guard.open(0)
        letters = await of_stream(connection, subscription, stream_id)
        return cls(connection, guard, letters, (await guard.seen([stream_id]))[stream_id].version, actor)

    def now(self, letter: EventLetter) -> EventLetter:
        """Give a letter as it is now."""
        return next(each for each in self._letters if each.version == letter.version)

    @property
    def open_letters(self) -> list[EventLetter]:
        return [letter for letter in self._letters if letter.is_open]

    async def discard(self, letter: EventLetter, reason: str) -> Result:
        """Never apply an event; the subscription steps over it as soon as it has come that far."""
        await mark(self._connection, [letter], "discarded", actor=self._actor, reason=reason)
        self._letters = await of_stream(self._connection, letter.consumer, letter.stream_id)
        await self._advance(letter.stream_id, self._reached)
        return Result(letter, "succeed", f"It is discarded: {letter.consumer} never applies it.")

    async def apply(self, consumer: EventConsumer, *, rehearse: bool = False) -> list[Result]:
        """Apply what is open; raises CannotApply, after which the transaction must not be committed."""
        tried = self.open_letters
        if not tried:
            return []
        stream_id, last = tried[0].stream_id, tried[-1].version
        told = {
            letter.version: Forecast("no_op", "It was applied already.")
            for letter in tried
            if letter.version <= self._reached
        }
        for stored in await load(self._connection, stream_id, after_version=self._reached):
            if stored.version > last or stored.version in self._discarded:
                continue
            try:
                told[stored.version] = await self._applied(consumer, stored, rehearse=rehearse)
            except Exception as error:
                if is_outage(error):
                    raise
                raise CannotApply(_spoilt(tried, stored, error)) from error
        await mark(self._connection, tried, "retried", actor=self._actor)
        await self._advance(stream_id, max(last, self._reached))
        return [Result(each, *_fields(told.get(each.version, _GONE))) for each in tried]

    @property
    def _discarded(self) -> set[int]:
        return {letter.version for letter in self._letters if letter.status == "discarded"}

    async def _applied(self, consumer: EventConsumer, stored: Stored, *, rehearse: bool) -> Forecast:
        if not rehearse:
            await consumer.subscription.apply(self._connection, [stored])
            return Forecast("succeed", "It is applied.")
        if not consumer.undoable:
            return Forecast("unknown", f"It can be read as {stored.recorded.event.type}; the rest cannot be rehearsed.")
        before = await consumer.look(self._connection, [stored])
        await consumer.subscription.apply(self._connection, [stored])
        changes = differences(before, await consumer.look(self._connection, [stored]))
        return Forecast("succeed", "It would be applied.", changes)

    async def _advance(self, stream_id: UUID, version: int) -> None:
        while version + 1 in self._discarded:
            version += 1
        if version > self._reached:
            await self._guard.applied({stream_id: version})
            self._reached = version


_GONE: Final = Forecast("no_op", "The log does not hold it.")


def unreadable(error: ValidationError) -> str:
    """Say where a message is wrong, without quoting it."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"])) or "the whole"
    return f"It cannot be read: {where}: {first['type']}"


def _fields(forecast: Forecast) -> tuple[Outcome, str, tuple[str, ...]]:
    return forecast.outcome, forecast.says, forecast.changes


def _spoilt(tried: list[EventLetter], failed: Stored, error: Exception) -> list[Result]:
    """Tell each letter's part in a failure that undoes all of them."""
    culprit = next(letter.version for letter in tried if letter.version >= failed.version)
    outcome: Outcome = "conflict" if isinstance(error, psycopg.IntegrityError) else "fail"
    why = unreadable(error) if isinstance(error, ValidationError) else described(error)
    said = f"v{failed.version} fails: {why}"
    return [
        Result(letter, outcome, said)
        if letter.version == culprit
        else Result(letter, "blocked", f"It waits, because v{failed.version} fails.")
        for letter in tried
    ]
