"""Takes records from Kafka, through whatever happens to it, and hands each to the subscriptions that it concerns."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from faust.types import Message

from infra.kafka.arrivals import Arrivals, Line
from infra.kafka.faust_app import FaustFailed, faust_app, run_app
from infra.kafka.inbox import Arrival
from infra.kafka.presence import until_back
from infra.kafka.records import BadRecord, stored_of, topic_of
from infra.kafka.topics import KafkaUnreachable, ensure_topics
from infra.settings import Settings
from infra.stopping import finish, stop
from schemas.base import Category

_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 1.0
_log: Final = logging.getLogger(__name__)


class Listener:
    def __init__(self, settings: Settings, subscribed: Sequence[Arrivals], line: Line) -> None:
        self._settings = settings
        self._subscribed = subscribed
        self._line = line
        self.unreadable = 0
        """Records that were no events."""

    async def run(self) -> None:
        """Run one application after another until cancelled; one that has lived through an outage is replaced."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            joins = self._line.joins
            try:
                await ensure_topics(self._settings)
                await self._listen()
            except (KafkaUnreachable, FaustFailed) as failed:
                _log.warning("not listening to Kafka, following the log until it is back: %s", failed)
            finally:
                self._line.lost()
            pause = _FIRST_PAUSE_SECONDS if self._line.joins > joins else min(2 * pause, _LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def _listen(self) -> None:
        prefix = self._settings.topic_prefix
        group = f"{prefix}.{'-'.join(sorted(arrivals.name for arrivals in self._subscribed))}"
        categories = frozenset[Category]().union(*(arrivals.categories for arrivals in self._subscribed))
        topics = [topic_of(prefix, category) for category in sorted(categories)]

        async def receive(message: Message) -> None:
            self._line.heard()
            await self._hand_out(message, lambda: message.ack(app.consumer))

        app = faust_app(self._settings, group, topics, receive, self._line.share_given)
        running = asyncio.create_task(run_app(app), name="kafka:app")
        watching = asyncio.create_task(until_back(self._settings, self._line), name="kafka:watch")
        try:
            await asyncio.wait([running, watching], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._line.lost()
            await finish(stop([running, watching]))
        if running.done() and not running.cancelled() and (failure := running.exception()):
            raise failure
        if not watching.cancelled() and (failure := watching.exception()):
            raise failure

    async def _hand_out(self, message: Message, acknowledge: Callable[[], object]) -> None:
        try:
            stored = stored_of(message.key, message.value, message.headers)
        except BadRecord as bad:
            self.unreadable += 1
            where = (message.topic, message.partition, message.offset)
            _log.error("passing over a record of %s, partition %d, offset %d: %s", *where, bad)
            acknowledge()
            return
        concerned = [arrivals for arrivals in self._subscribed if stored.category in arrivals.categories]
        arrival = Arrival(stored, len(concerned) + 1, acknowledge)
        for arrivals in concerned:
            await arrivals.put(arrival)
        arrival.done()
