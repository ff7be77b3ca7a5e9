"""Where in the log an instant is."""

from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

_ENDS: Final = "SELECT coalesce(min(notification_id), 0), coalesce(max(notification_id), 0) FROM stored_events"
_AT: Final = """
SELECT notification_id, (convert_from(state, 'UTF8')::json ->> 'occurred_at')::timestamptz FROM stored_events
WHERE notification_id >= %s ORDER BY notification_id LIMIT 1
"""


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
        row = await (await connection.execute(_AT, (middle,))).fetchone()
        if row is not None and (row[1] <= instant if inclusive else row[1] < instant):
            low = max(row[0], middle)
        else:
            high = middle - 1
    return max(low, 0)
