"""Take together what arrives close together."""

import asyncio
from time import monotonic


class Pace:
    """Work that rested begins at once; after that, a round begins at most every `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next_at = 0.0

    async def keep(self) -> None:
        """Wait until the next round may begin."""
        early = self._next_at - monotonic()
        if early > 0:
            await asyncio.sleep(early)
        self._next_at = monotonic() + self._seconds
