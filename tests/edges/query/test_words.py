import re
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest

import query_api
from infra.commands.output import money as in_a_table
from query_api.console.words import money, points, remedy, steps
from schemas.events.payment import DeclineKind
from schemas.views import MinuteCount, OrderDetail, OrderStatus
from tests.examples import CUSTOMER_ID, NOON, ORDER_ID, TENANT, a_contact


def test_money_is_written_by_the_digits_of_its_currency() -> None:
    assert (money(1250, "EUR"), money(1250, "JPY"), money(-5, "EUR")) == ("€12.50", "¥1,250", "-€0.05")
    assert (money(0, "EUR"), money(1_250_000, "KWD")) == ("€0.00", "KWD1,250.000")


@pytest.mark.parametrize("currency", ["ALL", "LAK", "LBP", "RSD"])
def test_money_is_written_with_the_digits_it_was_priced_in_where_people_leave_them_out(currency: str) -> None:
    assert money(1250, currency).endswith("12.50")
    assert in_a_table({"amount": 1250, "currency": currency}) == f"12.50 {currency}"


def test_every_kind_of_decline_says_something_else() -> None:
    kinds = get_args(DeclineKind)
    assert len({remedy(kind) for kind in kinds}) == len(kinds)


def test_a_line_through_no_orders_lies_on_the_ground() -> None:
    quiet = [MinuteCount(minute=NOON, orders=0) for _ in range(3)]
    assert {point.partition(",")[2] for point in points(quiet).split()} == {"58.0"}


def test_the_busiest_minute_is_the_highest() -> None:
    counts = [MinuteCount(minute=NOON, orders=orders) for orders in (0, 4, 2)]
    assert points(counts) == "0.0,58.0 150.0,2.0 300.0,30.0"


def test_every_colour_of_the_page_can_be_read_on_its_background() -> None:
    css = (Path(query_api.__path__[0]) / "console" / "static" / "console.css").read_text()
    for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL):
        colours = dict(re.findall(r"--([a-z]+): #([0-9a-f]{6})", block))
        for name in ("ink", "quiet", "accent", "waiting", "good", "moving", "bad"):
            assert contrast(colours[name], colours["paper"]) >= 4.5, name


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("placed", "placed:now confirmed:ahead shipped:ahead delivered:ahead completed:ahead"),
        ("partly_shipped", "placed:done confirmed:done partly_shipped:now delivered:ahead completed:ahead"),
        ("completed", "placed:done confirmed:done shipped:done delivered:done completed:now"),
        ("cancelled", "placed:done confirmed:done cancelled:now"),
    ],
)
def test_the_way_of_an_order_ends_where_it_is(status: OrderStatus, said: str) -> None:
    order = OrderDetail(
        order_id=ORDER_ID,
        tenant_id=TENANT,
        customer_id=CUSTOMER_ID,
        contact=a_contact(),
        locale="en",
        status=status,
        lines=(),
        total_amount=0,
        currency="EUR",
        placed_at=NOON,
        confirmed_at=NOON + timedelta(minutes=1),
        updated_at=NOON,
        version=1,
    )
    assert " ".join(f"{name}:{state}" for name, state in steps(order)) == said
