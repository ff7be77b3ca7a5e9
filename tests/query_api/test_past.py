"""A stream at a point is what its first events make of it; a difference leads from one point to another."""

from dataclasses import fields
from datetime import timedelta
from itertools import takewhile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.aggregate import fold
from domain.order.state import Order
from domain.payment.state import Payment
from domain.product.state import Product
from domain.stock.state import Stock
from query_api.history.answers import Difference, PastState
from query_api.history.difference import Change, changes
from query_api.history.states import EVOLVE, NotYetBegun, Point, Snapshot, VersionNotReached, Walk
from query_api.history.words import NAMES, sentence
from schemas.recorded import Recorded
from tests.domain.histories import history_of, of_a_payment, of_a_product, of_an_order, of_stock
from tests.examples import NOON, euros, history, listed, repriced, retired
from tests.query_api.patching import applied, canonical

histories = (
    (of_a_product | of_stock | of_an_order | of_a_payment).map(history_of).filter(bool).map(lambda e: history(*e))
)
a_page = st.integers(1, 4)
values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["a", "b/c", "~"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b/c", "~", "amount", "currency"]), inner, max_size=4)
    ),
    max_leaves=12,
)


def walked(events: list[Recorded], *points: Point, page: int = 2) -> list[Snapshot]:
    walk = Walk(points)
    numbered = list(enumerate(events, 1))
    for start in range(0, len(events), page):
        walk.on(numbered[start : start + page])
        if walk.done:
            break
    return walk.found()


def folded(events: list[Recorded]) -> Any:  # noqa: ANN401  # a state is of any of the domain's types
    return fold(EVOLVE[events[0].category], (each.event for each in events))


def patched(before: Any, after: Any) -> list[dict[str, Any]]:  # noqa: ANN401  # JSON is any value
    return [{"op": each.op, "path": each.pointer, "value": each.new} for each in changes(before, after)]


@given(histories, a_page, st.data())
def test_the_state_at_a_version_is_the_fold_of_as_many_events(
    events: list[Recorded], page: int, data: st.DataObject
) -> None:
    version = data.draw(st.integers(1, len(events)))
    (found,) = walked(events, Point(version), page=page)
    assert found.state == folded(events[:version])
    assert (found.last.version, found.position) == (version, version)


@given(histories, a_page, st.lists(st.integers(-3, 30), min_size=15, max_size=15), st.integers(0, 30))
def test_the_state_at_an_instant_is_the_fold_of_what_came_before_the_first_later_event(
    events: list[Recorded], page: int, minutes: list[int], asked: int
) -> None:
    at = NOON + timedelta(minutes=asked)
    skewed = [
        each.model_copy(update={"occurred_at": NOON + timedelta(minutes=minute)})
        for each, minute in zip(events, minutes * 3, strict=False)
    ]
    expected = list(takewhile(lambda each: each.occurred_at <= at, skewed))
    if expected:
        (found,) = walked(skewed, Point(instant=at), page=page)
        assert found.state == folded(expected)
    else:
        with pytest.raises(NotYetBegun):
            walked(skewed, Point(instant=at), page=page)


@given(histories, a_page)
def test_without_a_point_it_is_the_state_now(events: list[Recorded], page: int) -> None:
    (found,) = walked(events, Point(), page=page)
    assert found.state == folded(events)


@given(histories, a_page)
def test_a_version_beyond_the_end_is_said_not_to_be_reached(events: list[Recorded], page: int) -> None:
    with pytest.raises(VersionNotReached):
        walked(events, Point(len(events) + 1), page=page)


@given(histories, st.data())
def test_a_difference_applied_to_one_state_gives_the_other(events: list[Recorded], data: st.DataObject) -> None:
    versions = [data.draw(st.integers(1, len(events))) for _ in range(2)]
    before, after = walked(events, *map(Point, versions))
    old, new = PastState.of(before).state, PastState.of(after).state
    difference = Difference.of(before, after, tuple(changes(old, new)))
    patch = [operation.model_dump() for operation in difference.patch]
    assert canonical(applied(old, patch)) == canonical(new)
    assert len(difference.sentences) == len(difference.patch)
    assert bool(patch) is (canonical(old) != canonical(new))


@given(values, values)
def test_a_patch_leads_from_any_value_to_any_other(before: Any, after: Any) -> None:  # noqa: ANN401  # JSON is any value
    assert canonical(applied(before, patched(before, after))) == canonical(after)


@given(values)
def test_the_same_value_differs_in_nothing(value: Any) -> None:  # noqa: ANN401  # JSON is any value
    assert not patched(value, value)


@given(values, values)
def test_every_change_is_one_sentence(before: Any, after: Any) -> None:  # noqa: ANN401  # JSON is any value
    for change in changes({"total": before}, {"total": after}):
        said = sentence(change)
        assert said.startswith(said[0].upper())
        assert said.endswith(".")


@pytest.mark.parametrize("kind", [Order, Payment, Product, Stock])
def test_every_field_of_a_state_has_a_name_in_words(kind: type[Any]) -> None:
    assert {field.name for field in fields(kind)} <= NAMES.keys()


def test_a_price_changes_with_its_currency() -> None:
    before, after = walked(history(listed(euros(1450)), repriced(euros(1550)), retired()), Point(1), Point(2))
    (change,) = changes(PastState.of(before).state, PastState.of(after).state)
    assert (change.pointer, change.new) == ("/price", {"amount": 1550, "currency": "EUR"})
    assert sentence(change) == "The price changed from 14.50 EUR to 15.50 EUR."


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Change("replace", ("status",), "partly_shipped", "a"), "The status changed from partly shipped to a."),
        (Change("replace", ("unshipped", "V60"), 3, 1), "What is left to ship of V60 changed from 3 to 1."),
        (Change("remove", ("unshipped", "V60"), 3), "What is left to ship of V60 is gone: it was 3."),
        (Change("add", ("shipments", 0), new="S1"), "The shipments now include S1."),
        (Change("remove", ("short", 1), "O1"), "The orders that found too little no longer include O1."),
        (Change("add", ("holds", "O1"), new={"quantity": 2}), "What order O1 holds is new: quantity 2."),
        (Change("replace", ("refunds", "R1", "status"), "a", "b"), "The status of the refund R1 changed from a to b."),
        (Change("replace", ("on_sale",), old=True, new=False), "Whether it is for sale changed from yes to no."),
    ],
)
def test_a_change_is_said_plainly(change: Change, said: str) -> None:
    assert sentence(change) == said
