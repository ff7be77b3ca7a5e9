"""Both buses with everything around them, as one suite sees them: commands go in, handlers are called."""

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import aio_pika
from aio_pika.abc import AbstractChannel
from psycopg_pool import AsyncConnectionPool

from infra.bus import Bus, Handle, OutboxBus, post
from infra.rabbitmq.bus import Limits, RabbitBus
from infra.rabbitmq.drain import Drain
from infra.rabbitmq.outbox import Publisher
from infra.rabbitmq.topology import QUEUES, dead_queue, retry_queue, suspects_queue
from infra.signals import Signals
from infra.stopping import stop
from schemas.commands import Queue, Sent
from schemas.ids import new_id
from tests.command_examples import confirm, sent
from tests.infra.mortal_bus import LADDER
from tests.waiting import eventually


def some(count: int) -> list[Sent]:
    return [sent(confirm(), cause=new_id()) for _ in range(count)]


def refusing(times: int, then: Handle) -> Handle:
    """Fail the first deliveries of each message."""
    failures: Counter[object] = Counter()

    async def handle(message: Sent) -> None:
        failures[message.message_id] += 1
        if failures[message.message_id] <= times:
            raise ConnectionError("ana@example.com hung up\nand gave her address")
        await then(message)

    return handle


@asynccontextmanager
async def running(work: Awaitable[None]) -> AsyncIterator[None]:
    """Run until the block ends; raise what the work raised."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        await stop([task])
        with suppress(asyncio.CancelledError):
            task.result()


@dataclass
class Rig(ABC):
    """A database with its outbox, and what was delivered."""

    dsn: str
    pool: AsyncConnectionPool
    signals: Signals
    delivered: list[Sent] = field(default_factory=list)
    posted: set[UUID] = field(default_factory=set)
    handled: set[UUID] = field(default_factory=set)

    @abstractmethod
    def a_bus(self) -> Bus:
        """Make a bus without consumers."""

    @abstractmethod
    async def is_drained(self) -> bool:
        """Tell whether every posted command was handled or parked."""

    @abstractmethod
    def mortal_arguments(self) -> Sequence[str]:
        """Say to `tests.infra.mortal_bus` which bus it runs."""

    def bus(self, handle: Handle, *, concurrency: int = 8) -> AbstractAsyncContextManager[None]:
        async def handle_and_note(message: Sent) -> None:
            await handle(message)
            self.handled.add(message.message_id)

        bus = self.a_bus()
        bus.consume("orders.inbox", handle_and_note, concurrency=concurrency)
        return running(bus.run())

    async def take(self, message: Sent) -> None:
        self.delivered.append(message)

    async def post(self, *messages: Sent) -> None:
        async with self.pool.connection() as connection, connection.transaction():
            await post(connection, messages)
        self.posted |= {message.message_id for message in messages}

    async def rows(self, query: str) -> list[Any]:
        async with self.pool.connection() as connection:
            return await (await connection.execute(query)).fetchall()

    async def execute(self, statements: str) -> None:
        async with self.pool.connection() as connection:
            await connection.execute(statements)

    async def drained(self) -> None:
        await eventually(self.is_drained)

    async def has_delivered(self, count: int) -> None:
        async def enough() -> bool:
            return len(self.delivered) >= count

        await eventually(enough)


@dataclass
class OutboxRig(Rig):
    """The embedded profile: the consumers read the outbox themselves."""

    lease: timedelta = timedelta(seconds=10)
    """Longer than a busy machine may stall."""

    def a_bus(self) -> Bus:
        return OutboxBus(self.pool, self.signals, ladder=LADDER, lease=self.lease)

    async def is_drained(self) -> bool:
        return await self.rows("SELECT FROM outbox") == []

    def mortal_arguments(self) -> Sequence[str]:
        return ("outbox", self.dsn)


@dataclass
class RabbitRig(Rig):
    """The cluster profile. Inside `async with`, the outbox is published and dead letters are drained."""

    url: str = ""
    ladder: Sequence[timedelta] = LADDER
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        publisher = Publisher(self.pool, self.signals, self.url, ladder=self.ladder)
        await self._stack.enter_async_context(running(publisher.run()))
        await self._stack.enter_async_context(running(Drain(self.pool, self.url, ladder=self.ladder).run()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def a_bus(self) -> Bus:
        return RabbitBus(self.url, Limits(ladder=self.ladder, grace_seconds=0.1))

    async def is_drained(self) -> bool:
        """What is in flight cannot be seen, so this looks at what came of everything that was posted."""
        parked = {message_id for (message_id,) in await self.rows("SELECT message_id FROM dead_letters")}
        return self.posted <= self.handled | parked and await self.rows("SELECT FROM outbox") == []

    def mortal_arguments(self) -> Sequence[str]:
        return ("rabbitmq", self.url)

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[AbstractChannel]:
        async with await aio_pika.connect(self.url) as connection, connection.channel() as channel:
            yield channel

    async def ready(self, queue: Queue = "orders.inbox") -> list[int]:
        """Count what is ready in the queue, its suspects, the steps of its ladder and its dead letters."""
        names = [queue, suspects_queue(queue), *(retry_queue(queue, pause) for pause in self.ladder), dead_queue(queue)]
        async with self.channel() as channel:
            found = [await channel.declare_queue(name, passive=True) for name in names]
        return [queue.declaration_result.message_count or 0 for queue in found]

    async def is_gone(self) -> None:
        """Wait until no queue has anything; call it when no consumer runs, or what is in flight is not seen."""

        async def empty() -> bool:
            return not any([sum(await self.ready(queue)) for queue in QUEUES])

        await eventually(empty)
