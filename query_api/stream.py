"""Changes as they happen, by server-sent events: a client that was away resumes where it was."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import psycopg
from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from psycopg_pool import PoolTimeout

from infra.auth import Auth, Caller
from infra.problems import Problem
from query_api.audit.record import LookNotRecorded, Looks, Seen
from query_api.audit.viewers import viewing
from query_api.cursors import MAX_CURSOR, CursorRefused, Cursors, Place
from query_api.description import REFUSED
from query_api.notices import Change, Notice, Notices
from query_api.orders import sees_all, sight
from query_api.refusals import TOO_MANY_STREAMS

MAX_STREAMS: Final = 1_000
MAX_REPLAY: Final = 10_000
"""Log positions that a stream may be behind; further behind it is told to read everything anew."""
MAX_SECONDS: Final = 900.0
"""How long one connection lasts, so that a token that has expired does not go on listening."""
_log: Final = logging.getLogger(__name__)
_QUIET_SECONDS: Final = 10.0
_RETRY_MS: Final = 2_000

LastEventId = Annotated[
    str | None,
    Header(max_length=MAX_CURSOR, description="The newest `id` received. One that is not known gets `event: reset`."),
]


@dataclass(frozen=True, slots=True)
class Listener:
    """Who listens to what."""

    by: Caller
    order_id: UUID | None = None

    def hears(self, notice: Notice) -> bool:
        return (
            notice.tenant_id == self.by.tenant_id
            and (sees_all(self.by) or notice.customer_id == self.by.customer_id)
            and (self.order_id is None or notice.order_id == self.order_id)
        )

    @property
    def context(self) -> tuple[str, ...]:
        return ("stream", *sight(self.by), str(self.order_id or ""))


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that a stream tells. Whatever a listener may hear of up to `position` has been told with it."""

    kind: Literal["change", "reset", "quiet"]
    position: int
    notice: Notice | None = None
    """The change; nothing when changes were missed, or when there was none for a while."""


class Streams:
    """Bounded in number and in memory: a stream holds one notice, and reads the next when its reader has taken it."""

    def __init__(self, notices: Notices, cursors: Cursors, looks: Looks) -> None:
        self._notices = notices
        self._cursors = cursors
        self._looks = looks
        self.open = 0

    async def admit(self) -> AsyncIterator[None]:
        """Dependency that counts a stream while it is open; raises the 503 problem when this process serves no more."""
        if self.open >= MAX_STREAMS:
            raise Problem(503, *TOO_MANY_STREAMS, headers={"retry-after": "10"})
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1

    async def looked(self, listener: Listener, heard: Sequence[Notice] = ()) -> None:
        """Record what an auditor is about to hear; nothing heard, that the stream begins. Raises LookNotRecorded."""
        if listener.by.audits:
            asked = {} if listener.order_id is None else {"order_id": str(listener.order_id)}
            about = {notice.order_id for notice in heard} or {each for each in (listener.order_id,) if each}
            await self._looks.record(listener.by, Seen("/v1/stream", asked, orders=frozenset(about)))

    async def events(self, listener: Listener, last_event_id: str | None) -> AsyncGenerator[ServerSentEvent, None]:
        """Tell what the listener may hear, from after `last_event_id` on, as server-sent events."""
        after = self._resumed(listener, last_event_id)
        if after is None:
            after = self._notices.position
            yield ServerSentEvent(event="reset", raw_data="{}", id=self._id(listener, after), retry=_RETRY_MS)
        else:
            yield ServerSentEvent(comment="here", id=self._id(listener, after), retry=_RETRY_MS)
        async with aclosing(self.told(listener, after)) as told:
            async for each in told:
                yield self._event(each, self._id(listener, each.position))

    async def told(self, listener: Listener, after: int | None = None) -> AsyncGenerator[Told, None]:
        """Tell what the listener may hear, from after a position or from now on.

        At least once each and in commit order. Ends after MAX_SECONDS, and when the log cannot be read or an auditor's
        look not be recorded: a client comes back and resumes.
        """
        now = asyncio.get_running_loop().time
        told_at = now()
        ends_at = told_at + MAX_SECONDS
        after = self._notices.position if after is None else after
        while not self._notices.closed and now() < ends_at:
            if self._notices.position - after > MAX_REPLAY:
                after = self._notices.position
                yield Told("reset", after)
            try:
                found, after = await self._notices.read(after=after, wait=_QUIET_SECONDS)
                if heard := list(filter(listener.hears, found)):
                    await self.looked(listener, heard)
            except (psycopg.OperationalError, PoolTimeout, LookNotRecorded):
                return
            for notice in heard:
                told_at = now()
                yield Told("change", notice.position, notice)
            if now() - told_at >= _QUIET_SECONDS:
                told_at = now()
                yield Told("quiet", after)

    @staticmethod
    def _event(told: Told, place: str) -> ServerSentEvent:
        if told.notice is not None:
            return ServerSentEvent(event="order", raw_data=told.notice.data, id=place)
        if told.kind == "reset":
            return ServerSentEvent(event="reset", raw_data="{}", id=place)
        return ServerSentEvent(comment="quiet", id=place)

    def _resumed(self, listener: Listener, last_event_id: str | None) -> int | None:
        if last_event_id is None:
            return self._notices.position
        try:
            place = self._cursors.open(last_event_id, listener.context)
        except CursorRefused:
            return None
        return _position(place)

    def _id(self, listener: Listener, position: int) -> str:
        return self._cursors.seal((position,), listener.context)


def stream_routes(streams: Streams, auth: Auth) -> APIRouter:
    """The route of the stream."""
    router = APIRouter(prefix="/v1", responses=REFUSED, tags=["stream"])
    reading = Depends(viewing(auth, "orders:read", "orders:manage"))

    async def beginning(
        by: Annotated[Caller, reading],
        order_id: Annotated[UUID | None, Query(description="Only this order.")] = None,
    ) -> Listener:
        listener = Listener(by, order_id)
        await streams.looked(listener)
        return listener

    @router.get("/stream", response_class=EventSourceResponse, dependencies=[Depends(streams.admit)])
    async def listen(
        listener: Annotated[Listener, Depends(beginning)], last_event_id: LastEventId = None
    ) -> AsyncIterator[Change]:
        """Tell of changes to the orders that the caller sees, once the order list shows them.

        `event: order` carries a change; `event: reset` says that changes were missed: read again what you show.
        At least once, in commit order. A connection ends after 15 minutes or when its reader is too slow; resume it
        with `Last-Event-ID`.
        """
        async with aclosing(streams.events(listener, last_event_id)) as events:
            async for event in events:
                yield event  # type: ignore[misc]  # FastAPI documents the data, and sends the event around it

    return router


def _position(place: Place) -> int | None:
    return place[0] if len(place) == 1 and isinstance(place[0], int) else None


class SlowReaders:
    """Middleware that ends an answer whose reader takes nothing for `seconds`; a client then resumes its stream."""

    def __init__(self, app: Any, seconds: float = 30.0) -> None:  # noqa: ANN401  # any ASGI app
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  # ASGI
        async def send_in_time(message: Any) -> None:  # noqa: ANN401  # ASGI
            try:
                async with asyncio.timeout(self._seconds):
                    await send(message)
            except TimeoutError:
                raise TooSlow from None

        try:
            await self._app(scope, receive, send_in_time)
        except* TooSlow:
            _log.info("a reader was too slow and was dropped")


class TooSlow(Exception):  # noqa: N818  # a state of the world
    """The reader of an answer has taken nothing for too long."""
