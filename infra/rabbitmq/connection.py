"""Connections to RabbitMQ, and what is done while there is none."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Final

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

from infra.bus import described
from infra.stopping import finish

OUTAGES: Final = (AMQPError, ChannelInvalidStateError, OSError)
"""Raised when the connection or a channel is lost, or cannot be had."""

_HEARTBEAT_SECONDS: Final = 10
_CONNECT_SECONDS: Final = 10
_CLOSE_SECONDS: Final = 2
_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 5.0
_log: Final = logging.getLogger(__name__)


class Lost(ConnectionError):  # noqa: N818  # a state of the world
    """What a session stood on is gone: it has to begin anew."""


@asynccontextmanager
async def connected(url: str, name: str) -> AsyncIterator[AbstractConnection]:
    """Connect under a name that the broker's tools show."""
    connection = await aio_pika.connect(
        url,
        heartbeat=_HEARTBEAT_SECONDS,
        timeout=_CONNECT_SECONDS,
        client_properties={"connection_name": f"orderflow {name}"},
    )
    try:
        yield connection
    finally:
        await finish(_close(connection))


async def _close(connection: AbstractConnection) -> None:
    with suppress(*OUTAGES):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await connection.close()


async def confirming(connection: AbstractConnection) -> AbstractChannel:
    """Open a channel whose `publish` returns when the message is safe, and raises when no queue takes it."""
    return await connection.channel(publisher_confirms=True, on_return_raises=True)


async def keep_up(name: str, session: Callable[[], Awaitable[None]]) -> None:
    """Run sessions until cancelled, each after the outage that ended the one before.

    aio-pika's robust connection is not used: it forgets objects that nobody refers to, and does not notice a consumer
    that the broker has cancelled. A new session declares, opens and consumes everything again.
    """
    pause = _FIRST_PAUSE_SECONDS
    while True:
        began_at = monotonic()
        try:
            await session()
        except BaseException as error:
            outage = _outage(error)
            if outage is None:
                raise
            _log.warning("%s: waiting for RabbitMQ: %s", name, described(outage))
        if monotonic() - began_at > 2 * _LONGEST_PAUSE_SECONDS:
            pause = _FIRST_PAUSE_SECONDS
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _outage(error: BaseException) -> BaseException | None:
    """Give what is a reason to begin anew; None when it is a defect, or when we were asked to stop."""
    if isinstance(error, asyncio.CancelledError):
        # aio-pika puts this into what is under way on a channel that it closes; nobody has cancelled us then.
        task = asyncio.current_task()
        return None if task is None or task.cancelling() else Lost("closed while something was under way")
    return error if isinstance(error, OUTAGES) else None
