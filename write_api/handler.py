"""One path for every command on every aggregate: load, fold, decide, append; once, whatever is repeated or raced."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeVar
from uuid import UUID

from domain.aggregate import Aggregate, known
from domain.errors import DomainError, OrderNotFound
from infra.appender import AlreadyDone, Append, Appender, ConcurrentChange, Once
from schemas.base import Trace
from schemas.events import Event
from schemas.recorded import Recorded, digest, encode
from write_api.receipts import Receipt
from write_api.refusals import VersionMismatch
from write_api.streams import Known, Streams

S = TypeVar("S")
C = TypeVar("C")
E = TypeVar("E", bound=Event)

_ATTEMPTS: Final = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, on what occasion, and under which identity a repeat is recognised."""

    tenant_id: str
    actor: str
    trace: Trace
    once: Once
    expected_versions: frozenset[int] | None = None
    """The versions that the asker knows, when the command must not be carried out on another."""


@dataclass(frozen=True, slots=True)
class Target(Generic[S, C, E]):
    """The stream that is asked, and what the asker is told about it afterwards."""

    aggregate: Aggregate[S, C, E]
    stream_id: UUID
    receipt: Callable[[S, int], Receipt]
    """Makes the answer from the state and version after the command; holds nothing personal, since it is stored."""

    def response(self, state: S | None, version: int) -> bytes:
        return self.receipt(known(state), version).model_dump_json().encode()


@dataclass(frozen=True, slots=True)
class Done:
    """`response` is what was answered first, byte for byte."""

    position: int
    response: bytes
    replayed: bool = False


class Handler:
    """Appends are retried on a conflict; a refusal, or the answer that nothing was to be done, leaves no trace.

    Both are only ever given on state read from the log after the command came, and only when the command was not
    already carried out: then the first answer is repeated. Raises DomainError, ConcurrentChange when the stream kept
    changing, KeyReused and LogUnavailable.
    """

    def __init__(
        self,
        streams: Streams,
        appender: Appender,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self._streams = streams
        self._appender = appender
        self._now = now
        self._new_id = new_id

    async def handle(self, target: Target[S, C, E], command: C, asked: Asked) -> Done:
        """Carry a command out on a stream that may exist."""
        async with self._streams.lock(target.stream_id):
            if recent := self._streams.remembered(target.stream_id):
                with suppress(DomainError, ConcurrentChange):
                    if done := await self._carry_out(target, command, asked, recent.for_tenant(asked.tenant_id)):
                        return done
                self._streams.forget(target.stream_id)
            for _ in range(_ATTEMPTS):
                with suppress(ConcurrentChange):
                    return await self._on_what_the_log_holds(target, command, asked)
                self._streams.forget(target.stream_id)
        raise ConcurrentChange

    async def start(self, target: Target[S, C, E], preparing: Awaitable[C], asked: Asked) -> Done:
        """Carry a command out on a stream whose id is new. What `preparing` refuses, the command refuses."""
        try:
            done = await self._carry_out(target, await preparing, asked, Known())
        except DomainError as refusal:
            return await self._first_answer_or(refusal, asked)
        if done is None:
            raise ConcurrentChange
        return done

    async def _on_what_the_log_holds(self, target: Target[S, C, E], command: C, asked: Asked) -> Done:
        loaded = await self._streams.load(target.aggregate, target.stream_id)
        seen = loaded.for_tenant(asked.tenant_id)
        try:
            done = await self._carry_out(target, command, asked, seen)
        except DomainError as refusal:
            return await self._first_answer_or(refusal, asked)
        if done := done or await self._first_answer(asked):
            return done
        return Done(seen.position, target.response(seen.state, seen.version))

    async def _carry_out(self, target: Target[S, C, E], command: C, asked: Asked, known: Known[S]) -> Done | None:
        """Decide and append; None when there is nothing to do."""
        changed = asked.expected_versions is not None and known.version not in asked.expected_versions
        try:
            events = target.aggregate.decide(known.state, command)
        except OrderNotFound:  # before any version is told: somebody else's order must look like none
            raise
        except DomainError:
            if changed and known.version:
                raise VersionMismatch(known.version) from None
            raise
        if changed:
            raise VersionMismatch(known.version)
        return await self._append(target, asked, known, events) if events else None

    async def _append(self, target: Target[S, C, E], asked: Asked, known: Known[S], events: list[E]) -> Done:
        recorded, states = self._record(target, asked, known, events)
        version = known.version + len(events)
        state = target.aggregate.fold(events, known.state)
        response = target.response(state, version)
        outcome = await self._appender.append(Append(recorded, states, asked.once, response))
        if isinstance(outcome, AlreadyDone):
            self._streams.forget(target.stream_id)
            return Done(outcome.position, outcome.response, replayed=True)
        after = Known(state, version, digest(states[-1]), outcome.position, asked.tenant_id)
        self._streams.remember(target.stream_id, after)
        return Done(outcome.position, response)

    def _record(
        self, target: Target[S, C, E], asked: Asked, known: Known[S], events: list[E]
    ) -> tuple[tuple[Recorded, ...], tuple[bytes, ...]]:
        """Put events into envelopes, each chained to the bytes before it."""
        recorded: list[Recorded] = []
        states: list[bytes] = []
        occurred_at = self._now()
        for version, event in enumerate(events, start=known.version + 1):
            envelope = Recorded(
                event_id=self._new_id(),
                stream_id=target.stream_id,
                category=target.aggregate.category,
                version=version,
                occurred_at=occurred_at,
                tenant_id=asked.tenant_id,
                actor=asked.actor,
                trace=asked.trace,
                prev=digest(states[-1]) if states else known.digest,
                event=event,
            )
            recorded.append(envelope)
            states.append(encode(envelope))
        return tuple(recorded), tuple(states)

    async def _first_answer(self, asked: Asked) -> Done | None:
        earlier = await self._appender.recall(asked.once)
        return None if earlier is None else Done(earlier.position, earlier.response, replayed=True)

    async def _first_answer_or(self, refusal: DomainError, asked: Asked) -> Done:
        if done := await self._first_answer(asked):
            return done
        raise refusal
