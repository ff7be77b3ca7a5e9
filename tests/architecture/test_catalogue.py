"""The catalogue leaves no reader without a word on what something is."""

import re
from pathlib import Path

from schemas.wire import schemas
from tests.architecture.catalogue import page
from tests.architecture.followers import readers

ROOT = Path(__file__).parents[2]


def test_every_cell_of_every_table_says_something() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| ")]
    assert [row for row in rows if not all(cell.strip() for cell in row.strip("|").split("|"))] == []


def test_every_link_within_the_page_leads_to_a_part_of_it() -> None:
    headings = {line.lstrip("# ").lower() for line in page().splitlines() if line.startswith("#")}
    assert set(re.findall(r"\]\(#([^)]+)\)", page())) <= headings


def test_every_schema_that_is_linked_is_there() -> None:
    linked = set(re.findall(r"\]\(\.\./([^)]+)\)", page()))
    assert {link for link in linked if not (ROOT / link).exists()} == set()
    assert len(linked) == len(schemas())


def test_events_are_read_by_what_follows_them() -> None:
    assert readers("stock.received.v1") == ["stock_levels"]
    assert "order_fulfilment" in readers("stock.reserved.v1")
    assert {"sales_hours", "live_figures"} <= set(readers("order.cancelled.v1"))
