"""A process that delivers commands and is killed by some of them: `CancelOrder`.

Run as `python -m tests.infra.mortal_bus FILE outbox|rabbitmq URL`; the id of a command is in the file before it dies.
"""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Final

from infra.bus import Handle, OutboxBus
from infra.rabbitmq.bus import Limits, RabbitBus
from infra.signals import Signals
from schemas.commands import CancelOrder, Sent
from tests.appending import open_pool

LADDER: Final = (timedelta(milliseconds=50), timedelta(milliseconds=60))
LEASE: Final = timedelta(milliseconds=300)


async def over_the_outbox(dsn: str, handle: Handle) -> None:
    async with open_pool(dsn) as pool, Signals(dsn) as signals:
        bus = OutboxBus(pool, signals, ladder=LADDER, lease=LEASE)
        bus.consume("orders.inbox", handle, concurrency=8)
        await bus.run()


async def over_rabbitmq(url: str, handle: Handle) -> None:
    bus = RabbitBus(url, Limits(ladder=LADDER))
    bus.consume("orders.inbox", handle, concurrency=8)
    await bus.run()


async def main(file: Path, kind: str, url: str) -> None:
    async def handle(sent: Sent) -> None:
        with file.open("a") as handled:
            handled.write(f"{sent.message_id}\n")
        if isinstance(sent.command, CancelOrder):
            os.kill(os.getpid(), signal.SIGKILL)

    await {"outbox": over_the_outbox, "rabbitmq": over_rabbitmq}[kind](url, handle)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
