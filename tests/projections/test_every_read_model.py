from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from infra.event_log import Stored
from projections.product_view import PRODUCTS
from projections.read_model import EventMissing, ReadModel
from tests.projections.projecting import MODELS, arrivals_of, project, unseen
from tests.projections.story import FATES, logs, told

every_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)


@given(st.data())
def test_a_feed_that_repeats_and_reorders_streams_gives_the_same_rows(data: st.DataObject) -> None:
    log = data.draw(logs())
    arrivals = data.draw(arrivals_of(log))
    for model in MODELS:
        assert project(model, arrivals) == project(model, log)


@given(log=logs(), batch_size=st.integers(1, 20))
def test_batch_sizes_do_not_matter(log: list[Stored], batch_size: int) -> None:
    for model in MODELS:
        assert project(model, log, batch_size=batch_size) == project(model, log)


@given(log=logs())
def test_a_row_says_only_what_its_type_allows(log: list[Stored]) -> None:
    for model in MODELS:
        for row in project(model, log).values():
            assert model.row.model_validate_json(to_json(row.__dict__)) == row


@given(log=logs())
def test_a_row_never_goes_backwards(log: list[Stored]) -> None:
    for model in MODELS:
        rows: dict[Any, Any] = {}
        for stored in unseen(stored for stored in log if stored.category in model.categories):
            for key, row in model.changed(rows, [stored]).items():
                assert row.position == stored.position > (rows[key].position if key in rows else 0)
                rows[key] = row


@every_model
def test_no_row_of_one_tenant_knows_of_another(model: ReadModel[Any]) -> None:
    for key, row in project(model, told(*FATES)).items():
        assert row.tenant_id == "acme"
        assert key == tuple(getattr(row, column) for column in model.key)


@pytest.mark.parametrize("model", MODELS[:2] + MODELS[3:5], ids=lambda model: model.name)
def test_an_event_without_those_before_it_is_refused(model: ReadModel[Any]) -> None:
    second = next(
        stored for stored in told("delivered") if stored.version == 2 and stored.category == min(model.categories)
    )
    with pytest.raises(EventMissing, match="version 2 without the events before it"):
        model.changed({}, [second])


@every_model
def test_an_event_that_is_none_of_its_business_changes_nothing(model: ReadModel[Any]) -> None:
    foreign = [stored for stored in told("delivered") if stored.category not in model.categories]
    assert foreign
    for stored in foreign:
        assert model.fold(None, (), stored.recorded) is None


def test_a_row_that_an_event_leaves_as_it_was_is_not_written_again() -> None:
    still = replace(PRODUCTS, fold=lambda row, _key, _recorded: row)
    log = [stored for stored in told() if stored.category == "product"]
    rows = project(PRODUCTS, log)
    assert still.changed(rows, log) == {}
    assert still.changed({}, log) == {}


def test_the_rows_that_a_batch_touches_are_named_once() -> None:
    assert PRODUCTS.touched(told()) == {("acme", "ESP-250"), ("acme", "FIL-1000")}
