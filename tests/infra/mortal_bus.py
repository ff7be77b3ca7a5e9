"""A process that delivers commands and is killed by some of them: `python -m tests.infra.mortal_bus DSN FILE`."""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Final

from infra.bus import OutboxBus
from infra.signals import Signals
from schemas.commands import CancelOrder, Sent
from tests.appending import open_pool

LADDER: Final = (timedelta(milliseconds=50), timedelta(milliseconds=50))
LEASE: Final = timedelta(milliseconds=300)


async def main(dsn: str, file: Path) -> None:
    async def handle(sent: Sent) -> None:
        with file.open("a") as handled:
            handled.write(f"{sent.message_id}\n")
        if isinstance(sent.command, CancelOrder):
            os.kill(os.getpid(), signal.SIGKILL)

    async with open_pool(dsn) as pool, Signals(dsn) as signals:
        bus = OutboxBus(pool, signals, ladder=LADDER, lease=LEASE)
        bus.consume("orders.inbox", handle, concurrency=8)
        await bus.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
