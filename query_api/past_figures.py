"""The figures of the dashboard as of an instant, from the views as they were then."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from psycopg import AsyncConnection, sql

from infra.live_keys import RECENT, last_minutes
from query_api.listing import Pool, named
from query_api.live import STATUSES
from query_api.reading import Point
from schemas.money import Money
from schemas.views import Dashboard, MinuteCount, RecentOrder, Revenue

_STATUSES: Final = sql.SQL("""
SELECT status, count(*) FROM {order_summaries} WHERE tenant_id = %(tenant_id)s AND version > 0 GROUP BY status
""")
_MINUTES: Final = sql.SQL("""
SELECT date_trunc('minute', placed_at, 'UTC'), count(*) FROM {order_summaries}
WHERE tenant_id = %(tenant_id)s AND version > 0 AND placed_at >= %(since)s AND placed_at < %(until)s GROUP BY 1
""")
_REVENUE: Final = sql.SQL("""
SELECT currency, sum(revenue)::bigint FROM {sales_hours}
WHERE tenant_id = %(tenant_id)s AND hour >= %(day)s AND hour < %(day)s + interval '1 day'
GROUP BY currency ORDER BY currency COLLATE "C"
""")
# In the order of the live figures, which know milliseconds.
_RECENT: Final = sql.SQL("""
SELECT order_id, status, first_line, item_count, total_amount, currency, placed_at FROM {order_summaries}
WHERE tenant_id = %(tenant_id)s AND version > 0
ORDER BY date_trunc('milliseconds', placed_at) DESC, order_id DESC LIMIT %(recent)s
""")


async def dashboard(pool: Pool, tenant_id: str, instant: datetime, point: Point) -> Dashboard:
    """Count what the live figures count, had they stood still at the instant."""
    minutes = last_minutes(instant)
    values = {
        "tenant_id": tenant_id,
        "since": minutes[0],
        "until": minutes[-1] + timedelta(minutes=1),
        "day": instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0),
        "recent": RECENT,
    }
    async with pool.connection() as connection:
        statuses, counts, revenue, recent = [
            await _rows(connection, query, values, point) for query in (_STATUSES, _MINUTES, _REVENUE, _RECENT)
        ]
    by_status, by_minute = dict(statuses), dict(counts)
    return Dashboard(
        position=point.position,
        orders_per_minute=tuple(MinuteCount(minute=minute, orders=by_minute.get(minute, 0)) for minute in minutes),
        orders_by_status={status: by_status.get(status, 0) for status in STATUSES},
        revenue_today=tuple(Revenue(amount=amount, currency=currency) for currency, amount in revenue),
        recent_orders=tuple(_recent(*row) for row in recent),
    )


def _recent(*row: Any) -> RecentOrder:  # noqa: ANN401  # columns
    order_id, status, first_line, item_count, amount, currency, placed_at = row
    return RecentOrder(
        order_id=order_id,
        status=status,
        first_line=first_line,
        item_count=item_count,
        total=Money(amount=amount, currency=currency),
        placed_at=placed_at,
    )


async def _rows(
    connection: AsyncConnection[Any], query: sql.SQL, values: Mapping[str, object], point: Point
) -> list[tuple[Any, ...]]:
    tables = {table: named(table, point.schema) for table in ("order_summaries", "sales_hours")}
    return await (await connection.execute(query.format(**tables), values)).fetchall()
