"""A broker that is killed while it is published to and consumed from."""

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from infra.local.cluster_servers import RABBITMQ, ClusterServers
from infra.outbox import post
from infra.rabbitmq.connection import OUTAGES
from infra.rabbitmq.topology import QUEUES
from infra.signals import Signals
from schemas.commands import Sent
from schemas.ids import new_id
from tests.appending import open_pool
from tests.command_examples import authorise, confirm, notify, sent
from tests.infra.bus_rigs import RabbitRig, running, some
from tests.waiting import eventually

pytestmark = pytest.mark.faults


@pytest.fixture
def broker() -> Iterator[ClusterServers]:
    with tempfile.TemporaryDirectory(prefix="orderflow-test-") as folder:
        Path(folder).chmod(0o755)
        with ClusterServers(Path(folder), names=[RABBITMQ]) as running:
            yield running


async def test_every_command_arrives_and_none_is_parked(database: str, broker: ClusterServers) -> None:
    messages = some(900)
    before, meanwhile = messages[:600], messages[600:]
    async with (
        open_pool(database) as pool,
        Signals(database) as signals,
        RabbitRig(database, pool, signals, url=broker.rabbitmq_url_of("/")) as rig,
    ):

        async def handle(message: Sent) -> None:
            await asyncio.sleep(0.005)
            await rig.take(message)

        async with rig.bus(handle):
            await rig.post(*before)
            await rig.has_delivered(50)
            os.kill(broker.pids[RABBITMQ], signal.SIGKILL)
            await rig.post(*meanwhile)
            async with running(broker.watch()):
                await eventually(rig.is_drained, 60)
        await rig.is_gone()
        assert await rig.rows("SELECT FROM dead_letters") == []
    assert {message.message_id for message in rig.delivered} == {message.message_id for message in messages}


async def test_what_was_confirmed_right_after_the_first_start_is_kept(database: str, broker: ClusterServers) -> None:
    """The broker once lost the queue that was declared last, with all that it had confirmed for it."""
    messages = [sent(command, cause=new_id()) for command in (confirm(), authorise(), notify())]
    async with open_pool(database) as pool, Signals(database) as signals:
        async with pool.connection() as connection, connection.transaction():
            await post(connection, messages)
        rig = RabbitRig(database, pool, signals, url=broker.rabbitmq_url_of("/"))

        async def confirmed() -> bool:
            return await rig.rows("SELECT FROM outbox") == []

        async def kept() -> bool:
            with suppress(*OUTAGES):
                return [sum(await rig.ready(queue)) for queue in QUEUES] == [1, 1, 1]
            return False

        async with rig:
            await eventually(confirmed)
            os.kill(broker.pids[RABBITMQ], signal.SIGKILL)
            async with running(broker.watch()):
                await eventually(kept, 60)
