"""Publishes what is posted in the outbox table to RabbitMQ, and writes what RabbitMQ gave up to `dead_letters`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Final

from aio_pika.abc import AbstractConnection, AbstractExchange
from aio_pika.exceptions import DeliveryError
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from infra.bus import LADDER, described
from infra.outages import DATABASE_OUTAGES
from infra.outbox import Due, defer, due, settle
from infra.pace import Pace
from infra.rabbitmq.connection import Lost, confirming, connected, keep_up
from infra.rabbitmq.drain import Drain
from infra.rabbitmq.messages import first
from infra.rabbitmq.topology import COMMANDS, QUEUES, declare
from infra.runtime import Runtime
from infra.signals import OUTBOX, Signals, Waiter
from infra.stopping import stop, together
from schemas.commands import Queue

_MOST: Final = 500
_POLL_SECONDS: Final = 0.25
_TURN_SECONDS: Final = 0.02
_RECONNECT_SECONDS: Final = 0.5
_CONFIRM_SECONDS: Final = 10
# RabbitMQ 3.10 forgets to cancel the consumers of a deleted queue when one of the same name is declared at once.
_REPAIR_SECONDS: Final = 0.5
# RabbitMQ writes down which files are a queue's only when it has declared none for half a second. When it is killed
# before, it has lost the queue and what it confirmed for it. Whoever declared it, by then it is safe.
_SETTLE_SECONDS: Final = 1.0
_FIRST_PAUSE: Final = timedelta(seconds=1)
_LONGEST_PAUSE: Final = timedelta(minutes=1)
# Rows are held by their locks while they are published. A process that stopped answering is cut off from them, and a
# crash of the database may bring published rows back: they are published again.
_HOLDING: Final = "SET LOCAL synchronous_commit = off; SET LOCAL idle_in_transaction_session_timeout = '15s'"
_log: Final = logging.getLogger(__name__)


@asynccontextmanager
async def service(runtime: Runtime) -> AsyncIterator[Mapping[str, str]]:
    """Publish and drain until the block ends."""
    url = runtime.settings.rabbitmq_url.get_secret_value()
    publisher = Publisher(runtime.pool, runtime.signals, url)
    tasks = [
        runtime.tasks.create_task(publisher.run(), name="publish"),
        runtime.tasks.create_task(Drain(runtime.pool, url).run(), name="drain"),
    ]
    try:
        yield {}
    finally:
        await stop(tasks)


class Publisher:
    """Several may share one outbox. A row is deleted when RabbitMQ has confirmed it, so it may be published twice."""

    def __init__(
        self, pool: AsyncConnectionPool, signals: Signals, url: str, *, ladder: Sequence[timedelta] = LADDER
    ) -> None:
        self._pool = pool
        self._signals = signals
        self._url = url
        self._ladder = tuple(ladder)

    async def run(self) -> None:
        """Publish until cancelled, through outages of both sides; raises OtherArguments."""
        await keep_up("outbox", self._session)

    async def _session(self) -> None:
        async with connected(self._url, "outbox") as connection:
            repair = partial(self._declare, connection)
            await repair()
            await together(*[(await self._lane(connection, queue)).run(repair) for queue in QUEUES])

    async def _declare(self, connection: AbstractConnection) -> None:
        await declare(connection, self._ladder)
        await asyncio.sleep(_SETTLE_SECONDS)

    async def _lane(self, connection: AbstractConnection, queue: Queue) -> "_Lane":
        exchange = await (await confirming(connection)).get_exchange(COMMANDS, ensure=False)
        return _Lane(self._pool, self._signals.waiter(OUTBOX[queue]), queue, exchange)


class _Lane:
    """One queue: each turn publishes what is due and deletes what was confirmed, in one transaction."""

    def __init__(self, pool: AsyncConnectionPool, waiter: Waiter, queue: Queue, exchange: AbstractExchange) -> None:
        self._pool = pool
        self._waiter = waiter
        self._queue: Queue = queue
        self._exchange = exchange
        self._pace = Pace(_TURN_SECONDS)
        self._pause = _FIRST_PAUSE
        self._repair_at: float | None = None
        self._most = 1
        """Grows with the first confirm: a broker that is short of memory takes messages but does not confirm them."""

    async def run(self, repair: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._pace.keep()
            if self._repair_at is not None and monotonic() >= self._repair_at:
                await repair()
                self._repair_at = None
            try:
                turn = await self._turn()
            except DATABASE_OUTAGES as error:
                _log.warning("%s: the database did not answer: %s", self._queue, described(error))
                await asyncio.sleep(_RECONNECT_SECONDS)
                continue
            turn.raise_if_lost()
            if turn.refused and self._repair_at is None:
                self._repair_at = monotonic() + _REPAIR_SECONDS
            if turn.found < self._most:
                await self._waiter.wait(_POLL_SECONDS)

    async def _turn(self) -> "_Turn":
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(_HOLDING)
            rows = await due(connection, self._queue, limit=self._most)
            turn = _Turn(rows, await asyncio.gather(*map(self._publish, rows), return_exceptions=True))
            await settle(connection, done=turn.published, failed=())
            if turn.refused:
                await self._defer(connection, turn)
            elif turn.published:
                self._pause, self._most = _FIRST_PAUSE, _MOST
        return turn

    async def _defer(self, connection: AsyncConnection, turn: "_Turn") -> None:
        said = described(turn.refusal)
        await defer(connection, turn.refused, said, self._pause)
        seconds = self._pause.total_seconds()
        _log.error("%s: %d not taken by RabbitMQ, again in %g s: %s", self._queue, len(turn.refused), seconds, said)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    async def _publish(self, row: Due) -> None:
        message = first(row.message_id, row.body)
        await self._exchange.publish(message, self._queue, mandatory=True, timeout=_CONFIRM_SECONDS)


class _Turn:
    """What became of the rows of one turn."""

    def __init__(self, rows: Sequence[Due], ends: Sequence[BaseException | None]) -> None:
        self._ends = [(row.outbox_id, end) for row, end in zip(rows, ends, strict=True)]

    @property
    def found(self) -> int:
        return len(self._ends)

    @property
    def published(self) -> list[int]:
        return [outbox_id for outbox_id, end in self._ends if end is None]

    @property
    def refused(self) -> list[int]:
        """What no queue took, or what the broker could not keep: RabbitMQ answered, and the answer is no."""
        return [outbox_id for outbox_id, end in self._ends if isinstance(end, DeliveryError)]

    @property
    def refusal(self) -> DeliveryError:
        return next(end for _, end in self._ends if isinstance(end, DeliveryError))

    def raise_if_lost(self) -> None:
        """Raise when RabbitMQ did not answer."""
        for _, end in self._ends:
            if end is not None and not isinstance(end, DeliveryError):
                raise Lost(f"not confirmed: {described(end)}") if isinstance(end, asyncio.CancelledError) else end
