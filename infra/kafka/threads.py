"""Blocking work in a thread, which is never left behind."""

import asyncio
from collections.abc import Callable
from threading import Event
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T], give_up: Event) -> T:
    """Run blocking work. A cancellation tells the work to give up, and waits for its end: it holds a connection."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as error:
            give_up.set()
            cancelled = error
    if cancelled is not None:
        running.exception()
        raise cancelled
    return running.result()
