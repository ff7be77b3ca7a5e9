"""The projections as they run: every table and the live figures follow a real log, through restarts and faults."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from psycopg import AsyncConnection
from pydantic import SecretStr

from infra.event_log import Stored
from infra.runtime import Runtime, delivering, open_runtime
from infra.settings import Settings
from infra.signals import PROJECTED
from projections.main import SHOP_FIGURES, order_views, service
from projections.order_summary import ORDER_SUMMARIES
from schemas.views import FED_BY
from tests.projections.conftest import stored_rows, write_log
from tests.projections.projecting import MODELS, project
from tests.projections.story import FATES, an_id, told
from tests.vault import vault_file

pytestmark = pytest.mark.servers
SUBSCRIPTIONS = (order_views(None), SHOP_FIGURES)


@asynccontextmanager
async def running(dsn: str, redis_url: str) -> AsyncIterator[Runtime]:
    settings = Settings(postgres_dsn=SecretStr(dsn), redis_url=SecretStr(redis_url), vault_file=vault_file())
    async with asyncio.TaskGroup() as tasks, open_runtime(settings, tasks) as runtime, service(runtime) as urls:
        assert urls == {}
        async with delivering(runtime):
            yield runtime


async def caught_up(runtime: Runtime, connection: AsyncConnection[Any], position: int) -> None:
    """Wait until every subscription, the live figures too, has reached a position of the log."""
    waiter = runtime.signals.waiter(PROJECTED)
    query = "SELECT count(*) FROM subscription_positions WHERE position >= %s"
    async with asyncio.timeout(30):
        while await (await connection.execute(query, (position,))).fetchone() != (len(SUBSCRIPTIONS) + 1,):
            await waiter.wait(0.1)


async def assert_tables_equal(connection: AsyncConnection[Any], log: Sequence[Stored]) -> None:
    for model in MODELS:
        assert await stored_rows(connection, model) == project(model, log), model.name


def test_every_table_is_fed_by_a_subscription_that_follows() -> None:
    assert {FED_BY[model.name] for model in MODELS} == {subscription.name for subscription in SUBSCRIPTIONS}


def test_a_subscription_hears_all_that_its_tables_need() -> None:
    assert [subscription.categories for subscription in SUBSCRIPTIONS] == [
        {"order", "payment", "stock"},
        {"stock", "product", "order"},
    ]


async def test_every_table_equals_a_fresh_fold_of_the_log(
    database: str, redis_url: str, connection: AsyncConnection[Any]
) -> None:
    log = told(*FATES)
    async with running(database, redis_url) as runtime:
        write_log(database, log[:20])
        await caught_up(runtime, connection, log[19].position)
        write_log(database, log[20:])
        await caught_up(runtime, connection, log[-1].position)
    await assert_tables_equal(connection, log)


async def test_a_restart_in_the_middle_neither_loses_nor_repeats(
    database: str, redis_url: str, connection: AsyncConnection[Any]
) -> None:
    log = told(*FATES, *FATES, *FATES)
    write_log(database, log[:60])
    async with running(database, redis_url):
        pass
    write_log(database, log[60:])
    async with running(database, redis_url) as runtime:
        await caught_up(runtime, connection, log[-1].position)
    await assert_tables_equal(connection, log)


async def test_reading_the_whole_log_again_changes_nothing(
    database: str, redis_url: str, connection: AsyncConnection[Any]
) -> None:
    log = told(*FATES)
    write_log(database, log)
    async with running(database, redis_url) as runtime:
        await caught_up(runtime, connection, log[-1].position)
    await connection.execute("UPDATE subscription_positions SET position = 0")
    async with running(database, redis_url) as runtime:
        await caught_up(runtime, connection, log[-1].position)
    await assert_tables_equal(connection, log)


async def test_two_processes_together_write_what_one_would(
    database: str, redis_url: str, connection: AsyncConnection[Any]
) -> None:
    log = told(*FATES, *FATES)
    async with running(database, redis_url) as one, running(database, redis_url):
        for start in range(0, len(log), 10):
            write_log(database, log[start : start + 10])
        await caught_up(one, connection, log[-1].position)
    await assert_tables_equal(connection, log)


async def test_an_event_that_cannot_be_read_stops_only_its_own_order(
    database: str, redis_url: str, connection: AsyncConnection[Any]
) -> None:
    log = told("delivered", "delivered")
    poisoned = an_id("order", 0)
    at = next(i for i, stored in enumerate(log) if stored.stream_id == poisoned and stored.version == 2)
    garbled = Stored(log[at].position, poisoned, 2, log[at].topic, b"{}")
    write_log(database, [*log[:at], garbled, *log[at + 1 :]])
    async with running(database, redis_url) as runtime:
        await caught_up(runtime, connection, log[-1].position)
    rows = await stored_rows(connection, ORDER_SUMMARIES)
    assert rows[poisoned,].version == 1
    assert rows[an_id("order", 1),] == project(ORDER_SUMMARIES, log)[an_id("order", 1),]
