"""What a caller is told when the log, or the API itself, cannot do its work."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.requests import Request

from domain.defects import OrderNotDelivered
from infra.group_commit import LOG_LOCK
from infra.problems import install_problems
from infra.runtime import open_runtime
from infra.settings import Settings
from tests.edges.write.shop import Shop, an_order
from tests.vault import vault_file
from write_api.main import opened
from write_api.refusals import install_refusals

_END_ALL: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture
async def shop(database: str, keys: Path) -> AsyncIterator[Shop]:
    settings = Settings(
        postgres_dsn=SecretStr(database),
        jwks_file=keys / "jwks.json",
        vault_file=vault_file(),
        lock_timeout_ms=200,
        statement_timeout_ms=500,
    )
    async with asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(open_runtime(settings, tasks))
        api, urls = await stack.enter_async_context(opened(runtime))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=urls["write_url"], timeout=20))
        yield Shop(runtime, api, client, keys, "kaffa", urls["write_grpc"])


@asynccontextmanager
async def locked_log(dsn: str) -> AsyncIterator[None]:
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOG_LOCK,))
        yield


@pytest.mark.servers
async def test_a_log_that_cannot_be_locked_is_answered_with_when_to_come_back(shop: Shop, database: str) -> None:
    await shop.sell_coffee()
    async with locked_log(database):
        refused = await shop.post("/v1/orders", an_order(), key="once")
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/unavailable")
    assert int(refused.headers["retry-after"]) > 0


@pytest.mark.servers
async def test_what_could_not_be_stored_can_be_asked_again_under_its_key(shop: Shop, database: str) -> None:
    await shop.sell_coffee()
    async with locked_log(database):
        await shop.post("/v1/orders", an_order(), key="once")
    placed = await shop.post("/v1/orders", an_order(), key="once")
    assert placed.status_code == 201
    assert (await shop.topics()).count("order.placed.v2") == 1


@pytest.mark.servers
async def test_connections_that_the_server_ended_are_replaced_unnoticed(shop: Shop, database: str) -> None:
    order_id = await shop.place()
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as admin:
        await admin.execute(_END_ALL)
    cancelled = await shop.post(f"/v1/orders/{order_id}/cancellation")
    assert cancelled.status_code == 200


@pytest.mark.servers
async def test_readiness_is_the_logs(shop: Shop) -> None:
    ready = await shop.client.get("/readyz")
    await shop.runtime.pool.close()
    gone = await shop.client.get("/readyz")
    alive = await shop.client.get("/healthz")
    assert (ready.status_code, gone.status_code, alive.status_code) == (200, 503, 200)


async def crash(_request: Request) -> None:
    raise RuntimeError("the secret is 42")


async def meet_a_defect(_request: Request) -> None:
    raise OrderNotDelivered("the secret is 42")


@pytest.mark.parametrize("route", [crash, meet_a_defect])
async def test_a_crash_is_answered_with_a_problem_that_says_nothing_of_its_cause(
    route: Callable[[Request], Awaitable[None]],
) -> None:
    app = FastAPI()
    app.add_api_route("/", route)
    install_problems(app)
    install_refusals(app)
    request_id = str(uuid4())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/", headers={"x-request-id": request_id})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json()["instance"] == f"urn:uuid:{request_id}"
    assert "secret" not in json.dumps(answer.json())
