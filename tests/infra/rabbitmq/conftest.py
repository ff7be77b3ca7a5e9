"""A database for each test, and the names of what its broker holds."""

from collections.abc import AsyncIterator

import aio_pika
import pytest

from infra.rabbitmq.topology import declare
from infra.signals import Signals
from tests.appending import open_pool
from tests.infra.bus_rigs import RabbitRig


@pytest.fixture
async def idle(database: str, rabbitmq_url: str) -> AsyncIterator[RabbitRig]:
    """A bus whose queues are declared, and that nobody publishes or drains yet."""
    async with open_pool(database) as pool, Signals(database) as signals:
        rig = RabbitRig(database, pool, signals, url=rabbitmq_url)
        async with await aio_pika.connect(rabbitmq_url) as connection:
            await declare(connection, rig.ladder)
        yield rig


@pytest.fixture
async def rabbit(idle: RabbitRig) -> AsyncIterator[RabbitRig]:
    """A bus whose outbox is published and whose dead letters are drained."""
    async with idle:
        yield idle
