import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from schemas.ids import new_id
from tests.edges.query.platform import Shop
from tests.examples import NOON, SKU, a_line, cancelled, confirmed, listed, received, repriced, reserved

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

A_DAY = {"from": "2026-03-02", "to": "2026-03-02"}
AN_AFTERNOON = {"from": "2026-03-02T12:00:00Z", "to": "2026-03-02T18:00:00Z"}


async def test_the_catalogue_shows_prices_as_they_are_now(shop: Shop) -> None:
    await shop.tell(listed())
    await shop.tell(repriced())
    product = (await shop.get(f"/v1/products/{SKU}", "orders:read", subject="ana")).json()
    assert (product["price"], product["status"]) == ({"amount": 1550, "currency": "EUR"}, "listed")


async def test_the_stock_of_another_tenant_is_unknown(shop: Shop, rival: Shop) -> None:
    await rival.tell(received(10))
    answer = await shop.get(f"/v1/stock/{SKU}", query={"min_position": rival.position})
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/stock-not-found")


async def test_what_runs_low_is_found(shop: Shop) -> None:
    await shop.tell(received(10))
    await shop.tell(reserved(8))
    await shop.tell(received(10, sku="PLENTY"))
    levels = (await shop.get("/v1/stock", query={"available_below": 5})).json()["items"]
    assert [(level["sku"], level["available"], level["reserved"]) for level in levels] == [(SKU, 2, 8)]


async def test_sales_are_told_by_the_hour_and_taken_back_in_theirs(shop: Shop) -> None:
    order_id = await shop.placed()
    await shop.tell(confirmed(a_line()), order_id=order_id, at=NOON)
    await shop.tell(cancelled(a_line(), confirmed=True), order_id=order_id, at=NOON + timedelta(hours=2))
    hours = (await shop.get("/v1/sales/hourly", query=AN_AFTERNOON)).json()["items"]
    assert [(hour["hour"], hour["orders"], hour["revenue"]) for hour in hours] == [
        ("2026-03-02T12:00:00Z", 1, 2900),
        ("2026-03-02T14:00:00Z", -1, -2900),
    ]


async def test_sales_of_a_day_are_those_of_its_hours(shop: Shop) -> None:
    for hours in (-13, 0, 3, 12):
        order_id = await shop.placed()
        await shop.tell(confirmed(a_line()), order_id=order_id, at=NOON + timedelta(hours=hours))
    days = (await shop.get("/v1/sales/daily", query=A_DAY)).json()["items"]
    assert [(day["day"], day["orders"], day["revenue"]) for day in days] == [("2026-03-02", 2, 5800)]


async def test_the_best_seller_comes_first_under_its_name_of_today(shop: Shop) -> None:
    await shop.tell(listed(name="Yirgacheffe, new bag"))
    order_id = await shop.placed()
    await shop.tell(confirmed(a_line("CHEAP", 1, 100), a_line(SKU, 3)), order_id=order_id, at=NOON)
    sold = (await shop.get("/v1/sales/products", query={**A_DAY, "limit": 2})).json()["items"]
    assert [(each["sku"], each["name"], each["quantity"], each["revenue"]) for each in sold] == [
        (SKU, "Yirgacheffe, new bag", 3, 4350),
        ("CHEAP", None, 1, 100),
    ]


async def test_a_range_without_sales_is_empty(shop: Shop) -> None:
    for path in ("hourly", "daily", "products"):
        assert (await shop.get(f"/v1/sales/{path}")).json() == {"items": []}


async def test_a_process_is_on_the_board_until_its_deadline_and_overdue_after_it(shop: Shop) -> None:
    now = datetime.now(UTC)
    late, early = new_id(), new_id()
    async with shop.platform.runtime.pool.connection() as connection:
        for order_id, deadline in ((late, now - timedelta(minutes=1)), (early, now + timedelta(minutes=1))):
            await connection.execute(
                "INSERT INTO processes (process, process_id, tenant_id, phase, state, waiting_for, deadline_at, "
                "started_at, updated_at) VALUES ('order_fulfilment', %s, %s, 'paying', '', 'payment', %s, %s, %s)",
                (order_id, shop.tenant_id, deadline, now, now),
            )
    board = {
        overdue: [entry["order_id"] for entry in (await ask(shop, overdue)).json()["items"]]
        for overdue in ("true", "false")
    }
    assert board == {"true": [str(late)], "false": [str(early)]}


async def ask(shop: Shop, overdue: str) -> httpx.Response:
    path = f"/v1/processes?phase=paying&overdue={overdue}"
    return await shop.platform.client.get(path, headers=shop.headers())


async def test_the_dashboard_counts_orders_by_minute_and_status(shop: Shop) -> None:
    now = datetime.now(UTC)
    order_id = await shop.placed(at=now)
    await shop.placed(at=now)
    await shop.tell(confirmed(a_line()), order_id=order_id, at=now)
    figures = (await shop.get("/v1/dashboard")).json()
    assert sum(minute["orders"] for minute in figures["orders_per_minute"]) == 2
    assert len(figures["orders_per_minute"]) == 60
    assert (figures["orders_by_status"]["placed"], figures["orders_by_status"]["confirmed"]) == (1, 1)
    assert figures["revenue_today"] == [{"amount": 2900, "currency": "EUR"}]
    assert {order["order_id"] for order in figures["recent_orders"]} >= {str(order_id)}
    assert figures["position"] >= shop.position


async def test_the_dashboard_of_another_tenant_is_its_own(shop: Shop, rival: Shop) -> None:
    await rival.placed(at=datetime.now(UTC))
    figures = (await shop.get("/v1/dashboard", query={"min_position": rival.position})).json()
    assert (sum(figures["orders_by_status"].values()), figures["recent_orders"]) == (0, [])


async def test_a_dashboard_that_is_behind_is_not_shown(shop: Shop) -> None:
    await shop.get("/v1/dashboard")
    await shop.platform.runtime.redis.client_pause(400, all=False)
    await shop.placed()
    answer = await shop.get("/v1/dashboard", query={"wait": 0.01})
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/read-model-behind")


async def test_a_dashboard_is_not_awaited_at_a_position_that_no_write_has_answered(shop: Shop) -> None:
    answer = await shop.get("/v1/dashboard", query={"min_position": 2**62})
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/position-unknown")


async def test_lost_figures_are_away_and_never_an_old_total(shop: Shop) -> None:
    await shop.placed(at=datetime.now(UTC))
    await shop.get("/v1/dashboard")
    await shop.platform.runtime.redis.flushdb()
    answer = await shop.get("/v1/dashboard", query={"min_position": 0, "wait": 0})
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/figures-away")
    async with asyncio.timeout(10):
        while (again := await shop.get("/v1/dashboard", query={"min_position": 0})).status_code != 200:
            assert again.json()["type"] == "/problems/figures-away"
    assert again.json()["orders_by_status"]["placed"] == 1


async def test_the_page_goes_on_without_live_figures(shop: Shop) -> None:
    await shop.platform.runtime.redis.flushdb()
    answer = await shop.platform.client.get("/")
    assert answer.status_code == 200
    assert "being counted anew" in answer.text
