"""Where the live figures are in Redis: the agreement between their writer (projections) and their reader (query_api).

Everything lies under a generation, a complete set of figures. `GENERATION` names the one to read; while it is missing,
figures are being counted anew from the log and there is nothing to show. Read it first, then everything else in one
transaction (`redis.pipeline(transaction=True)`); an empty `position` then means that the generation has just changed.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

PREFIX: Final = "{orderflow:live}"
"""In braces, so that every key is in one slot of a Redis cluster, as one script needs."""
GENERATION: Final = f"{PREFIX}:generation"
MINUTES: Final = 60
RECENT: Final = 50


@dataclass(frozen=True, slots=True)
class LiveKeys:
    """Keys of one tenant's figures. Counters that nothing has counted are absent: read them as 0."""

    generation: str
    tenant_id: str

    @property
    def position(self) -> str:
        """String: the log position up to which every event is in the figures; one for all tenants."""
        return f"{PREFIX}:{self.generation}:position"

    @property
    def statuses(self) -> str:
        """Hash: order status to number of orders."""
        return self._of("statuses")

    @property
    def recent(self) -> str:
        """Sorted set: at most `RECENT` order ids by the millisecond they were placed in."""
        return self._of("recent")

    @property
    def recent_summaries(self) -> str:
        """Hash: order id to the JSON of `schemas.views.RecentOrder` without its `status`."""
        return self._of("recent_summaries")

    @property
    def recent_statuses(self) -> str:
        """Hash: order id to order status."""
        return self._of("recent_statuses")

    def minute(self, instant: datetime) -> str:
        """String: orders placed in the minute of `instant`; kept for two hours."""
        return self._of(f"minute:{minute_of(instant)}")

    def revenue(self, instant: datetime) -> str:
        """Hash: currency to minor units, on the UTC day of `instant`; kept for two days."""
        return self._of(f"revenue:{day_of(instant)}")

    def _of(self, name: str) -> str:
        return f"{PREFIX}:{self.generation}:{self.tenant_id}:{name}"


def minute_of(instant: datetime) -> int:
    """Minutes since 1970."""
    return int(instant.timestamp()) // 60


def day_of(instant: datetime) -> int:
    """UTC days since 1970."""
    return minute_of(instant) // (24 * 60)


def last_minutes(now: datetime) -> tuple[datetime, ...]:
    """Give the start of each of the last `MINUTES` minutes, the current one included, oldest first."""
    current = now.astimezone(UTC).replace(second=0, microsecond=0)
    return tuple(current - timedelta(minutes=back) for back in reversed(range(MINUTES)))
