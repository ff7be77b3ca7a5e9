"""Writes what RabbitMQ gave up to the table `dead_letters`, where all that failed is found and put back."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid5

import psycopg
from aio_pika.abc import AbstractIncomingMessage
from psycopg_pool import AsyncConnectionPool

from infra.bus import LADDER, PROCESS_ENDED, described
from infra.outbox import Parked, park
from infra.rabbitmq.connection import connected, keep_up
from infra.rabbitmq.messages import ERROR, attempts_counted
from infra.rabbitmq.receiver import Receiver
from infra.rabbitmq.topology import DELIVERY_LIMIT, QUEUES, dead_queue, declare
from infra.stopping import finish
from schemas.commands import Queue

_PREFETCH: Final = 50
_RECONNECT_SECONDS: Final = 0.5
_STOP_SECONDS: Final = 3
_SENT_BY_NOBODY: Final = "Found in the queue of dead letters without a reason"
_NAMELESS: Final = UUID("6f1d1d44-3b6c-5c0e-9d0e-0d5d3a7f5a5e")
_log: Final = logging.getLogger(__name__)


class Drain:
    """Acknowledges a dead letter when the database has it; several may run."""

    def __init__(self, pool: AsyncConnectionPool, url: str, *, ladder: Sequence[timedelta] = LADDER) -> None:
        self._pool = pool
        self._url = url
        self._ladder = tuple(ladder)

    async def run(self) -> None:
        """Write dead letters until cancelled, through outages of both sides; raises OtherArguments."""
        await keep_up("drain", self._session)

    async def _session(self) -> None:
        async with connected(self._url, "drain") as connection:
            await declare(connection, self._ladder)
            receiver = Receiver(connection)
            try:
                for queue in QUEUES:
                    await receiver.receive(dead_queue(queue), partial(self._take, queue), prefetch=_PREFETCH)
                await receiver.until_lost()
            finally:
                await finish(receiver.stop(_STOP_SECONDS))

    async def _take(self, queue: Queue, message: AbstractIncomingMessage) -> None:
        command = _parked(queue, message)
        while True:
            try:
                async with self._pool.connection() as connection:
                    await park(connection, command)
            except psycopg.OperationalError as error:
                _log.warning("drain: the database did not answer: %s", described(error))
                await asyncio.sleep(_RECONNECT_SECONDS)
            else:
                break
        await message.ack()
        _log.error("%s: %s parked after %d: %s", queue, command.message_id, command.attempts, command.error)


def _parked(queue: Queue, message: AbstractIncomingMessage) -> Parked:
    error, attempts = message.headers.get(ERROR), attempts_counted(message)
    if isinstance(message.headers.get("x-death"), list):  # the broker itself gave up, whatever failed before that
        error, attempts = PROCESS_ENDED, attempts + DELIVERY_LIMIT + 1
    return Parked(queue, _id_of(message), message.body, error if isinstance(error, str) else _SENT_BY_NOBODY, attempts)


def _id_of(message: AbstractIncomingMessage) -> UUID:
    """Give the message's id; what came without one gets one that its next delivery has, too."""
    try:
        return UUID(message.message_id)
    except (TypeError, ValueError):
        return uuid5(_NAMELESS, sha256(message.body).hexdigest())
