"""Which projections there are, how far each is, and which versions of them lie beside the serving one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

from projections.live import NAME
from projections.main import READ_MODELS
from projections.versions.switching import PREVIOUS, REBUILT
from schemas.views import FED_BY

SUBSCRIPTION_OF: Final = {**{model.name: FED_BY[model.name] for model in READ_MODELS}, NAME: NAME}
"""Every projection, by name."""
_LAG: Final = """
SELECT asked.name, coalesce(reached.position, 0), head.position, (
    SELECT (convert_from(state, 'UTF8')::json ->> 'occurred_at')::timestamptz FROM stored_events
    WHERE notification_id > coalesce(reached.position, 0) ORDER BY notification_id LIMIT 1)
FROM unnest(%s::text[]) AS asked (name)
LEFT JOIN subscription_positions AS reached ON reached.subscription = asked.name,
(SELECT coalesce(max(notification_id), 0) AS position FROM stored_events) AS head
"""
_BUILDS: Final = b"SELECT projection, position FROM %s.builds"
_LOOKS: Final = "SELECT projection, looked_at, rows, differing FROM drift_looks"


@dataclass(frozen=True, slots=True)
class Lag:
    projection: str
    subscription: str
    position: int
    head: int
    oldest: datetime | None
    """When the first event happened that it has not dealt with."""

    @property
    def behind(self) -> int:
        """Positions of the log, of which a few may be empty."""
        return max(self.head - self.position, 0)

    def seconds(self, now: datetime) -> float:
        return max((now - self.oldest).total_seconds(), 0.0) if self.oldest else 0.0


@dataclass(frozen=True, slots=True)
class Looked:
    """What the last look for drift found."""

    looked_at: datetime
    rows: int
    differing: int


async def looks(connection: AsyncConnection[Any]) -> dict[str, Looked]:
    """Give the last look at each projection that somebody has looked at."""
    rows = await (await connection.execute(_LOOKS)).fetchall()
    return {row[0]: Looked(*row[1:]) for row in rows}


async def lags(connection: AsyncConnection[Any], projections: Iterable[str]) -> list[Lag]:
    names = list(dict.fromkeys(SUBSCRIPTION_OF.values()))
    rows = await (await connection.execute(_LAG, (names,))).fetchall()
    found = {row[0]: row[1:] for row in rows}
    return [Lag(name, SUBSCRIPTION_OF[name], *found[SUBSCRIPTION_OF[name]]) for name in projections]


async def versions(connection: AsyncConnection[Any]) -> dict[str, dict[str, int]]:
    """Tell how far the tables in each place are, by projection."""
    found: dict[str, dict[str, int]] = {REBUILT: {}, PREVIOUS: {}}
    for schema, known in found.items():
        exists = await (
            await connection.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{schema}.builds",))
        ).fetchone()
        if exists == (True,):
            known.update(await (await connection.execute(_BUILDS % schema.encode())).fetchall())
    return found
