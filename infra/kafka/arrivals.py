"""One subscription over Kafka: its events as they come, and whatever did not come from the log."""

import asyncio
import logging
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from infra.event_log import EventLog
from infra.follower import MOST, Follower
from infra.guard import Reach
from infra.kafka.inbox import Arrival, Inbox
from infra.kafka.lease import relay_position
from infra.signals import Signals
from infra.subscription import Subscription

_TICK_SECONDS: Final = 0.25
_PACE_SECONDS: Final = 0.03
"""Records come one by one, and a batch of one costs nearly as much as one of twenty."""
_log: Final = logging.getLogger(__name__)


class KafkaSilent(Exception):  # noqa: N818  # a state of the world
    """Kafka has the events and does not bring them to this process: another one may be luckier."""


@dataclass(frozen=True, slots=True)
class Patience:
    hole: float = 10.0
    """Seconds until an event that the relay has published, but Kafka has not brought, is read from the log."""
    silence: float = 30.0
    """Seconds of such holes without any record until the process gives up."""


class Line:
    """The connection to Kafka, as the subscriptions of a process see it."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.joins = 0
        """How often the group has given this process its share of the partitions."""
        self._has_share = False
        self._answers = True
        self._silent_since: float | None = None

    @property
    def joined(self) -> bool:
        """Kafka brings the events, as far as anybody knows."""
        return self._has_share and self._answers

    def share_given(self) -> None:
        self._has_share = True
        self.joins += 1
        self._silent_since = None

    def lost(self) -> None:
        self._has_share = False

    def looked(self, *, answers: bool) -> None:
        """Tell whether Kafka answers: a group notices only late that it does not."""
        self._answers = answers

    def heard(self) -> None:
        self._silent_since = None

    def nothing_missed(self) -> None:
        self._silent_since = None

    def missed(self) -> None:
        """Tell of an event that should have come. Raises KafkaSilent when it is not the first, for too long."""
        if self._silent_since is None:
            self._silent_since = monotonic() - self.patience.hole
        elif monotonic() - self._silent_since >= self.patience.silence:
            raise KafkaSilent(f"Nothing came from Kafka for {self.patience.silence:g} s that it should have brought.")


class Hole:
    """The first event that is not applied, and since when it is the same one."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._position: int | None = None
        self._since = 0.0

    def look(self, position: int | None) -> bool:
        """Say whether this event has been missing for as long as the line may take for one."""
        now = monotonic()
        if position is None or position != self._position:
            if self._position is not None:
                self._line.nothing_missed()  # it came, to this process or to another one
            self._position, self._since = position, now
            return False
        if now - self._since < self._line.patience.hole:
            return False
        self._since = now
        return True

    def missed(self) -> None:
        """Tell that the log has to bring it. Raises KafkaSilent."""
        self._position = None
        self._line.missed()


class Arrivals:
    """Reads the log to its end, in its order, until the process has joined and again whenever that may have changed.

    So neither offsets nor what other workers did decide whether an event is applied, only how soon.
    """

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        signals: Signals,
        log: EventLog,
        subscription: Subscription,
        line: Line,
    ) -> None:
        self.categories = subscription.categories
        self._pool = pool
        self._log = log
        self._line = line
        self._follower = Follower(pool, signals, replace(subscription, pace=max(subscription.pace, _PACE_SECONDS)))
        self._inbox = Inbox()
        self._position = 0
        self.reads_log = True
        """It is catching up, or Kafka is away; otherwise Kafka brings the events."""
        self._hole = Hole(line)

    @property
    def name(self) -> str:
        return self._follower.name

    async def put(self, arrival: Arrival) -> None:
        await self._inbox.put(arrival)

    async def run(self) -> None:
        """Apply events until cancelled. Raises KafkaSilent."""
        await self._follower.through_outages(self._follow)

    async def _follow(self, position: int) -> None:
        self._position = position
        try:
            while True:
                joins = self._line.joins
                self.reads_log = True
                await self._follow_log()
                self.reads_log = False
                while self._inbox.is_open and self._line.joined and self._line.joins == joins:
                    if await self._is_hole(await self._take()):
                        break
        except Exception:
            self._inbox.close()
            raise

    async def _follow_log(self) -> None:
        while True:
            await self._follower.rested()
            page = await self._log.read(after=self._position, limit=MOST)
            if page:
                self._position = await self._follower.take_next(page)
            else:
                await self._follower.keep(self._position)
            if len(page) == MOST:
                continue
            if not self._line.joined:
                await asyncio.sleep(_TICK_SECONDS)
            elif self._inbox.is_open:
                return
            else:
                self._inbox.open()  # what was published before this is in the log by now, so one more look finds it

    async def _take(self) -> Reach:
        await self._follower.rested()
        await self._inbox.wait(_TICK_SECONDS)
        new = [stored for stored in self._inbox.take(MOST) if stored.position > self._position]
        reach = await (self._follower.take(new) if new else self._follower.look())
        self._position = reach.position
        self._inbox.applied()
        return reach

    async def _is_hole(self, reach: Reach) -> bool:
        if not self._hole.look(reach.undone) or reach.undone is None:
            return False
        async with self._pool.connection() as connection:
            if reach.undone > await relay_position(connection):
                return False
        _log.warning("%s: Kafka has not brought position %d: reading on from the log", self.name, reach.undone)
        self._hole.missed()
        return True
