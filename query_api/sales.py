"""Sales figures by hour, day and product. Hours and days are UTC; amounts are minor units of the row's currency."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, TypeVar

from psycopg import sql
from psycopg.rows import class_row

from query_api.listing import Pool, named
from query_api.parameters import DayRange, HourRange, ProductSalesQuery
from schemas.views import CurrencyCode, Row

R = TypeVar("R", bound=Row)
_TABLES: Final = ("sales_hours", "sales_products", "products")
_HOURLY: Final = sql.SQL("""
SELECT hour, currency, orders, items, revenue FROM {sales_hours}
WHERE tenant_id = %s AND hour >= %s AND hour < %s ORDER BY hour, currency
""")
_DAILY: Final = sql.SQL("""
SELECT (hour AT TIME ZONE 'UTC')::date AS day, currency, sum(orders)::bigint AS orders, sum(items)::bigint AS items,
    sum(revenue)::bigint AS revenue
FROM {sales_hours} WHERE tenant_id = %s AND hour >= %s AND hour < %s GROUP BY 1, 2 ORDER BY 1, 2
""")
_PRODUCTS: Final = sql.SQL("""
SELECT sku, name, sold.currency, sold.orders, sold.quantity, sold.revenue
FROM (
    SELECT sku, currency, sum(orders)::bigint AS orders, sum(quantity)::bigint AS quantity,
        sum(revenue)::bigint AS revenue
    FROM {sales_products}
    WHERE tenant_id = %(tenant_id)s AND day BETWEEN %(since)s AND %(until)s
        AND (%(sku)s::text IS NULL OR sku = %(sku)s)
    GROUP BY sku, currency ORDER BY revenue DESC, sku, currency LIMIT %(limit)s
) AS sold
LEFT JOIN (SELECT sku, name FROM {products} WHERE tenant_id = %(tenant_id)s) AS listed USING (sku)
ORDER BY revenue DESC, sku, currency
""")


class HourSales(Row):
    """An order counts in the hour of its confirmation, a cancellation with the opposite sign in its own hour."""

    hour: datetime
    currency: CurrencyCode
    orders: int
    items: int
    revenue: int


class DaySales(Row):
    """Booked as the hours of the day."""

    day: date
    currency: CurrencyCode
    orders: int
    items: int
    revenue: int


class ProductSales(Row):
    """Booked as in the hours, over all days of the range."""

    sku: str
    name: str | None
    """As in the catalogue now, or then."""
    currency: CurrencyCode
    orders: int
    quantity: int
    revenue: int


class Hourly(Row):
    items: tuple[HourSales, ...]


class Daily(Row):
    items: tuple[DaySales, ...]


class ByProduct(Row):
    items: tuple[ProductSales, ...]
    """The most revenue first."""


@dataclass(frozen=True, slots=True)
class Sold:
    """What one tenant has sold."""

    pool: Pool
    tenant_id: str
    schema: str | None
    """Where the tables are, unless they are those that serve."""

    async def read(self, kind: type[R], query: sql.SQL, values: Sequence[object] | Mapping[str, object]) -> list[R]:
        statement = query.format(**{table: named(table, self.schema) for table in _TABLES})
        async with self.pool.connection() as connection, connection.cursor(row_factory=class_row(kind)) as cursor:
            return await (await cursor.execute(statement, values)).fetchall()


async def hourly(sold: Sold, asked: HourRange, now: datetime) -> Hourly:
    """Read the hours that begin in the range."""
    until = asked.until or now
    since = asked.since or until - timedelta(hours=24)
    rows = await sold.read(HourSales, _HOURLY, (sold.tenant_id, since, until))
    return Hourly.model_construct(items=tuple(rows))


async def daily(sold: Sold, asked: DayRange, now: datetime) -> Daily:
    """Read the days of the range that sold or took back anything."""
    since, until = _days(asked, now)
    bounds = _midnight(since), _midnight(until) + timedelta(days=1)
    rows = await sold.read(DaySales, _DAILY, (sold.tenant_id, *bounds))
    return Daily.model_construct(items=tuple(rows))


async def by_product(sold: Sold, asked: ProductSalesQuery, now: datetime) -> ByProduct:
    """Read the products that sold most in the range."""
    since, until = _days(asked, now)
    values = {"tenant_id": sold.tenant_id, "since": since, "until": until, "sku": asked.sku, "limit": asked.limit}
    rows = await sold.read(ProductSales, _PRODUCTS, values)
    return ByProduct.model_construct(items=tuple(rows))


def _days(asked: DayRange, now: datetime) -> tuple[date, date]:
    until = asked.until or now.astimezone(UTC).date()
    return asked.since or until - timedelta(days=29), until


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
