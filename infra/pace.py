"""Take together what arrives close together."""

import asyncio
from time import monotonic
from typing import Final

_LONGEST_REST_SECONDS: Final = 0.1


class Pace:
    """Work that rested begins at once; after that, a round begins at most every `seconds`.

    With `rest`, a pause of `rest` times the round's length follows each round: where rounds get slow because the
    process is busy, they become rare and large, and leave the time to whoever is waiting for an answer. The pause is
    never longer than a tenth of a second.
    """

    def __init__(self, seconds: float, *, rest: float = 0.0) -> None:
        self._seconds = seconds
        self._rest = rest
        self._next_at = 0.0

    async def keep(self) -> None:
        """Wait until the next round may begin."""
        early = self._next_at - monotonic()
        if early > 0:
            await asyncio.sleep(early)
        self._next_at = monotonic() + self._seconds

    def ended(self, began_at: float) -> None:
        """Tell that the work of a round, begun at this `time.monotonic()`, is done."""
        now = monotonic()
        self._next_at = max(self._next_at, now + min(self._rest * (now - began_at), _LONGEST_REST_SECONDS))
