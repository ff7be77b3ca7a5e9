from datetime import date, timedelta

from infra.event_log import Stored
from projections.sales import SALES_HOURS, SALES_PRODUCTS
from tests.projections.projecting import project
from tests.projections.story import NOON, Fate, Story, an_id, life, lines_of, told


def at_a_pace(pace: timedelta, *fates: Fate) -> list[Stored]:
    """One order of 2 x 1000 and 1 x 1500 per fate, an event every `pace` from noon of the first of March."""
    story = Story(pace=pace)
    for number, fate in enumerate(fates):
        for _ in life(story, an_id("order", number), lines_of(2, 1), fate):
            pass
    return story.log


def test_a_sale_counts_in_the_hour_of_its_confirmation() -> None:
    rows = project(SALES_HOURS, at_a_pace(timedelta(minutes=20), "delivered"))
    (row,) = rows.values()
    assert (row.hour, row.currency) == (NOON + timedelta(hours=2), "EUR")
    assert (row.orders, row.items, row.revenue) == (1, 3, 3500)


def test_sales_of_an_hour_add_up() -> None:
    rows = project(SALES_HOURS, at_a_pace(timedelta(seconds=1), "delivered", "refunded", "in_parts"))
    assert [(row.orders, row.items, row.revenue) for row in rows.values()] == [(3, 9, 10_500)]


def test_a_cancelled_sale_is_taken_back_in_the_hour_of_its_cancellation() -> None:
    rows = project(SALES_HOURS, at_a_pace(timedelta(hours=1), "cancelled"))
    assert [(row.hour, row.orders, row.items, row.revenue) for row in rows.values()] == [
        (NOON + timedelta(hours=6), 1, 3, 3500),
        (NOON + timedelta(hours=7), -1, -3, -3500),
    ]


def test_an_order_that_was_never_confirmed_is_no_sale() -> None:
    assert project(SALES_HOURS, told("short", "declined")) == {}


def test_sales_by_product_count_each_line_on_its_day() -> None:
    rows = project(SALES_PRODUCTS, at_a_pace(timedelta(seconds=1), "delivered", "delivered"))
    assert {key: (row.orders, row.quantity, row.revenue) for key, row in rows.items()} == {
        ("acme", date(2026, 3, 1), "ESP-250", "EUR"): (2, 4, 4000),
        ("acme", date(2026, 3, 1), "FIL-1000", "EUR"): (2, 2, 3000),
    }


def test_sales_by_product_take_back_what_was_cancelled_on_the_day_of_the_cancellation() -> None:
    rows = project(SALES_PRODUCTS, at_a_pace(timedelta(hours=12), "cancelled"))
    assert [(row.day, row.orders, row.quantity, row.revenue) for row in rows.values() if row.sku == "ESP-250"] == [
        (date(2026, 3, 4), 1, 2, 2000),
        (date(2026, 3, 5), -1, -2, -2000),
    ]


def test_products_and_hours_add_up_to_the_same_revenue() -> None:
    log = told("delivered", "cancelled", "in_parts", "short")
    hours, products = project(SALES_HOURS, log), project(SALES_PRODUCTS, log)
    assert sum(row.revenue for row in hours.values()) == sum(row.revenue for row in products.values()) == 7000
