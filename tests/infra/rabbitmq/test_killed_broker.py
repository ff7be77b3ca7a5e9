"""A broker that is killed while it is published to and consumed from."""

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.cluster_servers import RABBITMQ, ClusterServers
from infra.signals import Signals
from schemas.commands import Sent
from tests.appending import open_pool
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
