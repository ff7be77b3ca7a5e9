"""What goes on a page, and what has to wait."""

from infra.event_log import Stored
from infra.kafka.pages import Page, Press
from infra.kafka.poison import Aside
from infra.kafka.records import CATEGORIES
from tests.infra.kafka.relaying import Row, a_poison, an_order

PRESS = Press({category: category for category in CATEGORIES}, most_bytes=100_000)


def stored(rows: list[Row]) -> list[Stored]:
    return [Stored(position, *row) for position, row in enumerate(rows, start=1)]


def filled(rows: list[Stored], aside: Aside) -> Page:
    page = Page(rows[-1].position)
    PRESS.fill(page, rows, aside)
    return page


def test_what_comes_before_a_parked_event_is_published_again() -> None:
    order, other = an_order(4), an_order(1)
    rows = stored([*order, *other])
    page = filled(rows, Aside(streams={rows[0].stream_id: 2}))
    assert [record.value for record in page.records] == [rows[0].state, rows[4].state]
    assert [each.version for each in page.held] == [2, 3, 4]


def test_what_follows_poison_waits() -> None:
    order, other = an_order(4), an_order(1)
    rows = stored([order[0], a_poison(order[0][0], 2), *order[2:], *other])
    page = filled(rows, Aside())
    assert [each.version for each, _ in page.poison] == [2]
    assert [each.version for each in page.held] == [3, 4]
    assert [record.value for record in page.records] == [rows[0].state, rows[4].state]


def test_what_is_discarded_is_passed_over() -> None:
    rows = stored(an_order(3))
    page = filled(rows, Aside(discarded=frozenset({(rows[0].stream_id, 2)})))
    assert [record.value for record in page.records] == [rows[0].state, rows[2].state]
    assert page.held == []
