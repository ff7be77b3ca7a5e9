"""The projector over a real PostgreSQL writes what the pure read model says."""

from typing import Any

import pytest
from psycopg import AsyncConnection

from infra.event_log import Stored
from projections.product_view import PRODUCTS
from projections.projector import Projector
from projections.read_model import EventMissing, ReadModel
from projections.sales import SALES_HOURS
from tests.projections.conftest import stored_rows
from tests.projections.projecting import MODELS, project, unseen
from tests.projections.story import FATES, told
from tests.vault import with_words

pytestmark = pytest.mark.servers
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)


def relevant(model: ReadModel[Any], log: list[Stored]) -> list[Stored]:
    return with_words(unseen(stored for stored in log if stored.category in model.categories))


@pytest.mark.parametrize("batch_size", [1, 7, 10_000])
@every_model
async def test_a_table_equals_a_fresh_fold_of_the_log_whatever_the_batches(
    connection: AsyncConnection[Any], model: ReadModel[Any], batch_size: int
) -> None:
    log, projector = told(*FATES, *FATES), Projector(model)
    events = relevant(model, log)
    for start in range(0, len(events), batch_size):
        await projector.apply(connection, events[start : start + batch_size])
    assert await stored_rows(connection, model) == project(model, log)


class Counting(AsyncConnection[Any]):
    """Counts the statements that pass through it."""

    executed = 0

    async def execute(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # the signature of psycopg
        self.executed += 1
        return await super().execute(*args, **kwargs)


async def test_a_batch_takes_one_query_and_one_statement_for_all_tables(database: str) -> None:
    async with await Counting.connect(database, autocommit=True) as connection:
        await Projector(*MODELS).apply(connection, with_words(unseen(told(*FATES))))
        assert connection.executed == 2
        for model in MODELS:
            assert await stored_rows(connection, model) == project(model, told(*FATES))


async def test_a_batch_that_changes_no_row_writes_nothing(database: str) -> None:
    async with await Counting.connect(database, autocommit=True) as connection:
        await Projector(SALES_HOURS).apply(connection, relevant(SALES_HOURS, told("short")))
        assert connection.executed == 1


async def test_a_batch_that_cannot_be_folded_writes_nothing(connection: AsyncConnection[Any]) -> None:
    first, second, _, without_its_first = relevant(PRODUCTS, told())
    with pytest.raises(EventMissing):
        await Projector(PRODUCTS).apply(connection, [first, second, without_its_first])
    assert await stored_rows(connection, PRODUCTS) == {}


async def test_a_batch_is_part_of_the_callers_transaction(connection: AsyncConnection[Any]) -> None:
    async with connection.transaction(force_rollback=True):
        await Projector(PRODUCTS).apply(connection, relevant(PRODUCTS, told()))
    assert await stored_rows(connection, PRODUCTS) == {}


async def test_a_batch_about_nothing_is_no_work(connection: AsyncConnection[Any]) -> None:
    await Projector(PRODUCTS).apply(connection, [])
    assert await stored_rows(connection, PRODUCTS) == {}
