"""The command bus on RabbitMQ: consumed with confirms both ways, retried by queues, parked in the end."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from aio_pika import Message
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from pydantic import ValidationError

from infra.bus import HANDLE_SECONDS, LADDER, PROCESS_ENDED, Handle, described
from infra.rabbitmq.connection import OUTAGES, confirming, connected, keep_up
from infra.rabbitmq.messages import again, attempts_before, returns
from infra.rabbitmq.receiver import Receiver
from infra.rabbitmq.topology import DEAD, declare, retry_queue, suspects_queue
from infra.stopping import finish, together
from schemas.commands import Queue, decode

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    ladder: Sequence[timedelta] = LADDER
    """Pauses after the first, second, ... failed delivery. Consumers and the outbox must be given the same."""
    handle_seconds: float = HANDLE_SECONDS
    """A handler that takes longer has failed."""
    grace_seconds: float = 3.0
    """Time for what is under way when the bus stops; then it is given back."""


@dataclass(frozen=True, slots=True)
class _Consumer:
    queue: Queue
    handle: Handle
    concurrency: int
    limits: Limits


class RabbitBus:
    """Several processes may consume one queue.

    An attempt is counted by the broker, so a command that kills the process is parked too. What was in flight when a
    consumer ended is handled alone from then on: it uses up its own attempts, not those of its neighbours.
    """

    def __init__(self, url: str, limits: Limits = Limits()) -> None:
        self._url = url
        self._limits = limits
        self._consumers: dict[Queue, _Consumer] = {}

    def consume(self, queue: Queue, handle: Handle, *, concurrency: int) -> None:
        """Name the one consumer of a queue; raises ValueError when it has one."""
        if queue in self._consumers:
            raise ValueError(f"{queue} has a consumer already")
        self._consumers[queue] = _Consumer(queue, handle, concurrency, self._limits)

    async def run(self) -> None:
        """Deliver until cancelled, through outages of the broker; raises OtherArguments."""
        if self._consumers:
            await keep_up("bus", self._session)

    async def _session(self) -> None:
        # The broker stops reading from a connection that publishes while it is short of memory or disk. With one of its
        # own for acknowledgements, the queues are still worked off.
        names = " ".join(self._consumers)
        async with (
            connected(self._url, f"consume {names}") as receiving,
            connected(self._url, f"retry {names}") as sending,
        ):
            await declare(receiving, self._limits.ladder)
            deliveries = [
                _Delivery(consumer, receiving, await confirming(sending)) for consumer in self._consumers.values()
            ]
            await together(*[delivery.run() for delivery in deliveries])


class _Delivery:
    """One queue during one session."""

    def __init__(self, consumer: _Consumer, receiving: AbstractConnection, sending: AbstractChannel) -> None:
        self._consumer = consumer
        self._queue: Queue = consumer.queue
        self._receiver = Receiver(receiving)
        self._sending = sending

    async def run(self) -> None:
        """Deliver until cancelled; raises Lost when the broker, or a queue of it, is gone."""
        self._receiver.watch(self._sending)
        try:
            await self._receiver.receive(self._queue, self._deliver, prefetch=self._consumer.concurrency)
            await self._receiver.receive(suspects_queue(self._queue), self._deliver, prefetch=1)
            await self._receiver.until_lost()
        finally:
            await finish(self._receiver.stop(self._consumer.limits.grace_seconds))

    async def _deliver(self, message: AbstractIncomingMessage) -> None:
        attempts = attempts_before(message)
        if returns(message) == 0:
            await self._attempt(message, attempts + 1)
        elif attempts > len(self._consumer.limits.ladder):
            await self._bury(message, attempts, PROCESS_ENDED)
        else:
            await self._send("", suspects_queue(self._queue), again(message, attempts=attempts))
        await message.ack()

    async def _attempt(self, message: AbstractIncomingMessage, attempt: int) -> None:
        try:
            sent = decode(message.body)
        except ValidationError as error:
            await self._bury(message, attempt, described(error))
            return
        try:
            async with asyncio.timeout(self._consumer.limits.handle_seconds):
                await self._consumer.handle(sent)
        except asyncio.CancelledError:
            await self._give_back(message, attempt - 1)
            raise
        except Exception as error:  # noqa: BLE001  # the outermost loop: whatever it is, it is retried, then parked
            said = described(error)
            _log.warning("%s: %s failed, attempt %d: %s", self._queue, message.message_id, attempt, said)
            await self._retry(message, attempt, said)

    async def _retry(self, message: AbstractIncomingMessage, attempt: int, error: str) -> None:
        pauses = self._consumer.limits.ladder[attempt - 1 : attempt]
        if pauses:
            step = retry_queue(self._queue, pauses[0])
            await self._send("", step, again(message, attempts=attempt, error=error))
        else:
            await self._bury(message, attempt, error)

    async def _bury(self, message: AbstractIncomingMessage, attempts: int, error: str) -> None:
        await self._send(DEAD, self._queue, again(message, attempts=attempts, error=error))

    async def _send(self, exchange: str, key: str, message: Message) -> None:
        """Return when the broker has it for certain; the copy that it was made from may be acknowledged then."""
        target = await self._sending.get_exchange(exchange, ensure=False)
        await target.publish(message, key, mandatory=True)

    async def _give_back(self, message: AbstractIncomingMessage, attempts: int) -> None:
        """Undo a delivery that was stopped on purpose: it is no attempt."""
        with suppress(*OUTAGES):
            await self._send(
                message.exchange or "", message.routing_key or self._queue, again(message, attempts=attempts)
            )
            await message.ack()
