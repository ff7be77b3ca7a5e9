"""How events reach the subscriptions of the cluster profile: Kafka brings them, the log decides what is missing."""

from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from infra.event_log import EventLog
from infra.kafka.arrivals import Arrivals, Line, Patience
from infra.settings import Settings
from infra.signals import Signals
from infra.stopping import together
from infra.subscription import Subscription


class KafkaSubscriptions:
    """One Faust application for all subscriptions of the process, each of which has its own inbox and pace.

    `run` raises KafkaSilent when nothing comes although it should: the process then has to end and be started again.
    """

    def __init__(
        self,
        settings: Settings,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        signals: Signals,
        log: EventLog,
        patience: Patience | None = None,
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._signals = signals
        self._log = log
        self._subscribed: list[Arrivals] = []
        self.line = Line(patience or Patience())

    def subscribe(self, subscription: Subscription) -> None:
        self._subscribed.append(Arrivals(self._pool, self._signals, self._log, subscription, self.line))

    @property
    def over_kafka(self) -> bool:
        """Kafka alone brings the events now; while somebody catches up, or Kafka is away, they come from the log."""
        return self.line.joined and not any(arrivals.reads_log for arrivals in self._subscribed)

    async def run(self) -> None:
        if not self._subscribed:
            return
        from infra.kafka.listener import Listener  # noqa: PLC0415  # Faust only where it is needed

        listener = Listener(self._settings, self._subscribed, self.line)
        await together(listener.run(), *[arrivals.run() for arrivals in self._subscribed])
