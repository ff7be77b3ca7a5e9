"""Copies the event log to Kafka: every event once, the events of a stream in order, whatever fails on the way."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Final

import psycopg

from infra.audit.signing import signing
from infra.event_log import Stored
from infra.kafka.audience import EVERYBODY, Audience, pinned
from infra.kafka.lease import LEASE_SECONDS, Lease, LeaseLost, Reached
from infra.kafka.pages import Page, Press
from infra.kafka.poison import Aside, Poison
from infra.kafka.producer import Interrupted
from infra.kafka.records import CATEGORIES, REPAIRED
from infra.kafka.session import Session, Start
from infra.kafka.topics import KafkaUnreachable
from infra.outages import DATABASE_OUTAGES
from infra.runtime import Runtime
from infra.stopping import stop, together
from schemas.base import Category
from schemas.ids import new_id

_PAGE: Final = 4_000
_SMALL: Final = 100
"""So few rows are prepared at once, without a thread."""
_COMMIT_SECONDS: Final = 0.1
"""Each commit costs the broker as much as dozens of records, and our own subscriptions do not wait for it."""
_LOOK_SECONDS: Final = 1.0
_TOPICS_SECONDS: Final = 5.0
_STORE_SECONDS: Final = 0.1
_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 1.0
_OUTAGES: Final = (*DATABASE_OUTAGES, KafkaUnreachable, Interrupted, LeaseLost)
_log: Final = logging.getLogger(__name__)


@asynccontextmanager
async def service(runtime: Runtime) -> AsyncIterator[Mapping[str, str]]:
    """Run a relay, and one for each pinned consumer; of several of a kind, one works and the others stand by.

    Signs the log, too, if it has the key: it reads all of the log anyway, and listens to nobody outside.
    """
    audiences = (EVERYBODY, *pinned(runtime.settings))
    async with signing(runtime):
        tasks = [runtime.tasks.create_task(Relay(runtime, each).run(), name=each.letters) for each in audiences]
        try:
            yield {}
        finally:
            await stop(tasks)


class Relay:
    def __init__(
        self, runtime: Runtime, audience: Audience = EVERYBODY, *, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        self._runtime = runtime
        self._audience = audience
        owner = f"{socket.gethostname()}:{os.getpid()}:{new_id()}"
        self._lease = Lease(runtime.pool, owner, seconds=lease_seconds, relay=audience.relay)
        self._known_topics: Mapping[str, str] = {}
        self._pause = _FIRST_PAUSE_SECONDS

    async def run(self) -> None:
        """Publish until cancelled, through outages of Kafka and of the database."""
        try:
            while True:
                try:
                    await self._lead()
                except* _OUTAGES as outage:
                    _log.warning("the relay begins again: %s", _described(outage))
                await asyncio.sleep(self._pause)
                self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)
        finally:
            with suppress(psycopg.OperationalError):
                await self._lease.release()

    async def _lead(self) -> None:
        stored = self._audience.remembered(await self._turn())
        progress = _Progress(self._lease, stored)
        await together(progress.keep(), self._publish(stored, progress))

    async def _publish(self, stored: Reached, progress: "_Progress") -> None:
        session = await Session.open(self._runtime.settings, self._audience)
        try:
            start = await session.start(self._runtime.pool, stored, self._known_topics)
            self._known_topics = session.topics.ids
            self._pause = _FIRST_PAUSE_SECONDS
            publishing = _Publishing(self._runtime, self._audience, session, start, progress)
            await together(_watch_topics(session), publishing.run())
        finally:
            await session.close()

    async def _turn(self) -> Reached:
        """Wait for the lease; the row tells nobody when it is free."""
        while True:
            if (stored := await self._lease.acquire()) is not None:
                return stored
            await asyncio.sleep(self._lease.seconds / 5)


class _Progress:
    """How far the relay is, stored from time to time: the topics themselves tell it exactly."""

    def __init__(self, lease: Lease, reached: Reached) -> None:
        self._lease = lease
        self._reached = reached
        self._changed = asyncio.Event()

    def advance(self, position: int, newest: Mapping[Category, int]) -> None:
        known = self._reached.published
        published = {**known, **{category: max(new, known.get(category, 0)) for category, new in newest.items()}}
        self._reached = Reached(max(position, self._reached.position), published)
        self._changed.set()

    async def keep(self) -> None:
        """Renew the lease until it is lost; raises LeaseLost."""
        lost_at = monotonic() + self._lease.seconds
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._lease.seconds / 5):
                    await self._changed.wait()
            self._changed.clear()
            began_at = monotonic()
            try:
                await self._lease.keep(self._reached)
            except psycopg.OperationalError as away:
                if monotonic() > lost_at:
                    raise LeaseLost("the database was away for as long as the lease lasts") from away
            else:
                lost_at = began_at + self._lease.seconds
            await asyncio.sleep(_STORE_SECONDS)


class _Publishing:
    """Sends pages, the next one being made meanwhile; commits what was sent, so often at most as costs little."""

    def __init__(
        self, runtime: Runtime, audience: Audience, session: Session, start: Start, progress: _Progress
    ) -> None:
        self._runtime = runtime
        self._categories = frozenset(audience.categories)
        self._session = session
        self._start = start
        self._progress = progress
        self._poison = Poison(runtime.pool, audience.letters)
        topics = audience.topics(runtime.settings.topic_prefix)
        self._press = Press(topics, session.topics.most_bytes, audience)
        self._read_to = start.first
        self._aside = Aside()
        self._look_at = 0.0
        self._sent: list[Page] = []
        self._commit_at = 0.0

    async def run(self) -> None:
        """Never returns."""
        self._progress.advance(self._start.reached, {})
        upcoming: asyncio.Task[Page] | None = None
        try:
            while True:
                upcoming = upcoming or asyncio.create_task(self._next_page())
                await self._commit_when_due(upcoming)
                page = await upcoming
                upcoming = None if page.released else asyncio.create_task(self._next_page())
                await self._send(page)
        finally:
            if upcoming is not None:
                await stop([upcoming])

    async def _commit_when_due(self, upcoming: asyncio.Task[Page]) -> None:
        """Return when the next page is there, or everything sent is committed."""
        if self._sent:
            await asyncio.wait([upcoming], timeout=max(0.0, self._commit_at - monotonic()))
            if monotonic() >= self._commit_at:
                await self._commit()

    async def _send(self, page: Page) -> None:
        if page.records:
            await self._session.send(page.records)
        self._sent.append(page)
        if page.released or not any(sent.records for sent in self._sent):
            await self._commit()

    async def _commit(self) -> None:
        self._commit_at = monotonic() + _COMMIT_SECONDS
        sent, self._sent = self._sent, []
        await self._session.commit()
        for page in sent:
            if page.released:
                await self._poison.published(page.released)
            self._progress.advance(page.after, page.newest)

    async def _next_page(self) -> Page:
        if monotonic() >= self._look_at:
            self._aside = await self._poison.aside()
            if released := await self._poison.released(_PAGE):
                return await self._released(released)
            self._look_at = monotonic() + _LOOK_SECONDS
        rows = await self._runtime.feed.read(after=self._read_to, limit=_PAGE, wait=_LOOK_SECONDS)
        if rows:
            self._read_to = rows[-1].position
        page = Page(self._read_to)
        wanted = [each for each in rows if self._start.wants(each) and self._is_told(each)]
        if len(wanted) < _SMALL:
            self._press.fill(page, wanted, self._aside)
        else:
            await asyncio.to_thread(self._press.fill, page, wanted, self._aside)
        await self._set_aside(page)
        return page

    def _is_told(self, stored: Stored) -> bool:
        """Everybody is told also what is of no category, which is parked."""
        return len(self._categories) == len(CATEGORIES) or stored.category in self._categories

    async def _released(self, released: list[Stored]) -> Page:
        """Publish out of their places what a person lets go, before anything that comes after it in its stream."""
        page = Page(self._read_to)
        self._press.fill(page, released, Aside(), mark=[(REPAIRED, b"1")])
        bad = {stored.position for stored, _ in page.poison} | {stored.position for stored in page.held}
        page.released = [stored.position for stored in released if stored.position not in bad]
        page.newest.clear()
        await self._set_aside(page)
        return page

    async def _set_aside(self, page: Page) -> None:
        if not page.poison and not page.held:
            return
        for stored, said in page.poison:
            _log.error("position %d of stream %s is parked: %s", stored.position, stored.stream_id, said)
        await self._poison.park(page.poison, page.held)
        self._look_at = 0.0


async def _watch_topics(session: Session) -> None:
    while True:
        await asyncio.sleep(_TOPICS_SECONDS)
        await session.check_topics()


def _described(outage: BaseExceptionGroup[BaseException]) -> str:
    return "; ".join(
        _described(each) if isinstance(each, BaseExceptionGroup) else f"{type(each).__name__}: {each}".splitlines()[0]
        for each in outage.exceptions
    )
