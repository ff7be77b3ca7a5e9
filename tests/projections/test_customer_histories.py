from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import class_row

from projections.order_summary import ORDER_SUMMARIES
from projections.projector import Projector
from schemas.views import CustomerHistory
from tests.projections.projecting import project
from tests.projections.story import CUSTOMER, Fate, euros, told

pytestmark = pytest.mark.servers


async def histories_after(connection: AsyncConnection[Any], *fates: Fate, until: int | None = None) -> list[Any]:
    log = [stored for stored in told(*fates)[:until] if stored.category in ORDER_SUMMARIES.categories]
    await Projector(ORDER_SUMMARIES).apply(connection, log)
    async with connection.cursor(row_factory=class_row(CustomerHistory)) as cursor:
        await cursor.execute("SELECT * FROM customer_histories WHERE tenant_id = %s", ("acme",))
        return await cursor.fetchall()


async def test_a_history_counts_orders_by_what_became_of_them(connection: AsyncConnection[Any]) -> None:
    fates: tuple[Fate, ...] = ("delivered", "short", "in_parts", "cancelled")
    (history,) = await histories_after(connection, *fates)
    assert history.customer_id == CUSTOMER
    assert (history.orders, history.open_orders) == (4, 0)
    assert (history.delivered_orders, history.cancelled_orders) == (2, 2)
    placed = [row.placed_at for row in project(ORDER_SUMMARIES, told(*fates)).values()]
    assert (history.first_placed_at, history.last_placed_at) == (min(placed), max(placed))


async def test_what_was_refunded_is_not_spent(connection: AsyncConnection[Any]) -> None:
    (history,) = await histories_after(connection, "delivered", "refunded")
    assert history.spent == (euros(3500),)


async def test_an_order_under_way_is_open(connection: AsyncConnection[Any]) -> None:
    (history,) = await histories_after(connection, "delivered", until=-3)
    assert (history.orders, history.open_orders, history.delivered_orders) == (1, 1, 0)


async def test_an_order_known_by_its_payment_alone_is_in_nobodys_history(connection: AsyncConnection[Any]) -> None:
    payments = [stored for stored in told("delivered") if stored.category == "payment"]
    await Projector(ORDER_SUMMARIES).apply(connection, payments)
    assert await histories_after(connection) == []
