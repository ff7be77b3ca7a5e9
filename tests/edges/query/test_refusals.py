from contextlib import asynccontextmanager

import httpx
import pytest
from psycopg_pool import AsyncConnectionPool
from pydantic import SecretStr

from infra.event_log import EventLog
from infra.feed import Feed
from infra.problems import MEDIA_TYPE, Problem
from infra.signals import Signals
from query_api.audit.record import Looks
from query_api.cursors import Cursors
from query_api.listing import Pool
from query_api.notices import Notices
from query_api.openapi import unconnected
from query_api.positions import Positions
from query_api.stream import MAX_STREAMS, Streams
from tests.examples import NOON


@pytest.fixture
def streams() -> Streams:
    pool: Pool = AsyncConnectionPool("", open=False)
    signals, log = Signals(""), EventLog(pool)
    notices = Notices(Feed(log, signals), log, pool, Positions(pool, signals))
    return Streams(notices, Cursors(SecretStr("x")), Looks(pool, lambda: NOON))


async def ask(path: str) -> httpx.Response:
    transport = httpx.ASGITransport(unconnected())
    async with httpx.AsyncClient(transport=transport, base_url="http://query") as client:
        return await client.get(path)


async def test_without_a_database_it_says_that_it_is_not_ready_and_when_to_ask_again() -> None:
    answer = await ask("/readyz")
    assert (answer.status_code, answer.headers["content-type"]) == (503, MEDIA_TYPE)
    assert answer.headers["retry-after"] == "1"


async def test_without_a_database_the_process_still_answers() -> None:
    assert (await ask("/healthz")).status_code == 200


async def test_without_a_tenant_the_page_asks_for_a_token_and_shows_nothing() -> None:
    answer = await ask("/")
    assert answer.status_code == 200
    assert "access token" in answer.text
    assert "data-stream" not in answer.text


@pytest.mark.parametrize("path", ["/orders/5b8f71b7-6e3a-5b1f-b225-aeea1b164858", "/console/stream"])
async def test_without_a_tenant_nothing_else_is_behind_the_page(path: str) -> None:
    assert (await ask(path)).status_code == 404


async def test_no_more_streams_are_admitted_than_a_process_serves(streams: Streams) -> None:
    admit = asynccontextmanager(streams.admit)
    streams.open = MAX_STREAMS - 1
    async with admit():
        with pytest.raises(Problem) as refused:
            async with admit():
                pass
    assert refused.value.status_code == 503
    assert streams.open == MAX_STREAMS - 1
