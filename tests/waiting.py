"""Waits for what will become true, and fails when it does not in time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE_SECONDS = 0.01


async def eventually(look: Callable[[], Awaitable[T]], seconds: float = 20.0) -> T:
    """Look until there is something true, and give it; raises TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while True:
            if found := await look():
                return found
            await asyncio.sleep(_PAUSE_SECONDS)
