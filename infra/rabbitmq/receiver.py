"""Consumes queues, and knows at once when it no longer does."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Final

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue, ConsumerTag

from infra.rabbitmq.connection import OUTAGES, Lost
from infra.stopping import stop

Take = Callable[[AbstractIncomingMessage], Coroutine[None, None, None]]

_CANCEL_SECONDS: Final = 2


class Receiver:
    """Each message is taken in a task of its own, which goes on when its channel is lost."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection
        self._sources: list[tuple[AbstractQueue, ConsumerTag]] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def receive(self, queue: str, take: Take, *, prefetch: int) -> None:
        """Begin to consume: `take` acknowledges its message; what it raises ends everything."""

        async def begin(message: AbstractIncomingMessage) -> None:
            self._begin(take(message))

        channel = await self._connection.channel(publisher_confirms=False)
        self.watch(channel)
        (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(self._lose)
        await channel.set_qos(prefetch_count=prefetch)
        source = await channel.get_queue(queue, ensure=False)
        self._sources.append((source, await source.consume(begin)))

    def watch(self, channel: AbstractChannel) -> None:
        """Stand on a channel of somebody else, too."""
        channel.close_callbacks.add(self._lose)

    async def until_lost(self) -> None:
        """Never return; raise Lost, or what a `take` raised."""
        await self._lost

    async def stop(self, seconds: float) -> None:
        """Take nothing more; cancel what does not come to its end in time, and let it clean up as long again."""
        for source, tag in self._sources:
            with suppress(*OUTAGES):
                await source.cancel(tag, timeout=_CANCEL_SECONDS)
        await self._ended(seconds)
        for task in self._under_way:
            task.cancel()
        await self._ended(seconds)
        await stop(self._under_way)

    async def _ended(self, seconds: float) -> None:
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=seconds)

    def _begin(self, taking: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(taking)
        self._under_way.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._lose(error)

    def _lose(self, *reasons: object) -> None:
        """Take whatever aio-pika tells its callbacks."""
        if not self._lost.done():
            error = next((reason for reason in reasons if isinstance(reason, Exception)), None)
            self._lost.set_exception(error or Lost("a queue is not consumed any more"))
            self._lost.exception()  # it counts as seen: whoever stops before he waits for it need not know
