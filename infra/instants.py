"""Where in the log an instant is."""

import json
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

_ENDS: Final = "SELECT coalesce(min(notification_id), 0), coalesce(max(notification_id), 0) FROM stored_events"
_AT: Final = """
SELECT notification_id, state FROM stored_events WHERE notification_id >= %s ORDER BY notification_id LIMIT %s
"""
_NEAR: Final = 20
"""Events that are looked at for one that says when it happened: some cannot be read."""


async def ends(connection: AsyncConnection[Any]) -> tuple[int, int]:
    """Give the first and the last position of the log; zeros when it is empty."""
    row = await (await connection.execute(_ENDS)).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


async def position_at(connection: AsyncConnection[Any], instant: datetime, *, inclusive: bool = True) -> int:
    """Give the last position of the log as it was at an instant, or before it; 0 when there was none.

    The clocks of the writers may differ by moments, and the log is in the order of its commits. So what is given is
    always a beginning of the log, found by halving, and never lacks what an event in it followed from.
    """
    first, last = await ends(connection)
    low, high = first - 1, last
    while low < high:
        middle = (low + high + 1) // 2
        found = await _near(connection, middle)
        if found is not None and (found[1] <= instant if inclusive else found[1] < instant):
            low = found[0]
        else:
            high = middle - 1
    return max(low, 0)


async def _near(connection: AsyncConnection[Any], position: int) -> tuple[int, datetime] | None:
    """Give the first event from a position on that says when it happened."""
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(_AT, (position, 1))
        rows = await cursor.fetchall()
        if rows and _occurred_at(rows[0][1]) is None:
            await cursor.execute(_AT, (position, _NEAR))
            rows = await cursor.fetchall()
    return next(((at, when) for at, state in rows if (when := _occurred_at(state))), None)


def _occurred_at(state: bytes) -> datetime | None:
    try:
        when = datetime.fromisoformat(json.loads(state)["occurred_at"])
    except (ValueError, KeyError, TypeError):
        return None
    return when if when.tzinfo else None
