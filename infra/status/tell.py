"""Writes a status once, or again and again."""

import asyncio
import sys
from collections.abc import Callable
from typing import Final

from rich.console import Console
from rich.live import Live

from infra.status.look import Looked, look
from infra.status.model import Status
from infra.status.show import drawn

PAUSE_SECONDS: Final = 2.0


def tell(status: Status, *, as_json: bool) -> None:
    """One line of JSON, or tables."""
    if as_json:
        sys.stdout.write(status.model_dump_json() + "\n")
        sys.stdout.flush()
    else:
        Console(highlight=False).print(drawn(status))


async def tell_again(where: Callable[[], Looked], *, as_json: bool) -> None:
    """Until cancelled: a line each time, or tables that stay in their place."""
    if as_json:
        while True:
            tell(await look(where()), as_json=True)
            await asyncio.sleep(PAUSE_SECONDS)
    await show_live(Console(highlight=False), where)


async def show_live(console: Console, where: Callable[[], Looked]) -> None:
    """Keep tables below what is printed, until cancelled."""
    with Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop") as live:
        while True:
            live.update(drawn(await look(where())), refresh=True)
            await asyncio.sleep(PAUSE_SECONDS)
