"""The query API over real servers, fed by the real projections; one platform per module, one tenant per test."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Final

import httpx
import pytest
import pytest_asyncio
import redis
from pydantic import SecretStr

from infra.auth import Scope
from infra.issuer import ensure_keys, mint
from infra.local.servers import LocalServers
from infra.runtime import delivering, open_runtime
from infra.settings import Settings
from projections.main import service as projections
from query_api.main import service as query_api
from query_api.openapi import unconnected
from tests.edges.promised import promised
from tests.edges.query.platform import CUSTOMER, Platform, Shop
from tests.examples import CUSTOMER_ID, TENANT
from tests.vault import vault_file

_TENANTS: Final = count(1)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    ensure_keys(folder)
    return folder


@pytest.fixture(scope="module")
def query_settings(servers: LocalServers, module_database: str, redis_numbers: Iterator[int], keys: Path) -> Settings:
    redis_url = servers.redis_url_of(next(redis_numbers))
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    return Settings(
        postgres_dsn=SecretStr(module_database),
        redis_url=SecretStr(redis_url),
        jwks_file=keys / "jwks.json",
        vault_file=vault_file(),
        cursor_secret=SecretStr("a secret of this test"),
        console_tenant=TENANT,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(query_settings: Settings, keys: Path) -> AsyncIterator[Platform]:
    def token(scopes: Sequence[Scope], tenant_id: str, subject: str) -> str:
        customer_id = CUSTOMER_ID if subject == CUSTOMER else None
        return mint(keys, query_settings, tenant_id=tenant_id, subject=subject, scopes=scopes, customer_id=customer_id)

    async with asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(open_runtime(query_settings, tasks))
        await stack.enter_async_context(projections(runtime))
        urls = await stack.enter_async_context(query_api(runtime))
        await stack.enter_async_context(delivering(runtime))
        hooks = {"response": [promised(unconnected().openapi())]}
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=urls["query_url"], timeout=20, event_hooks=hooks)
        )
        yield Platform(runtime, client, urls["query_grpc"], token)


@pytest.fixture
def shop(platform: Platform) -> Shop:
    return Shop(platform, f"shop-{next(_TENANTS)}")


@pytest.fixture
def rival(platform: Platform) -> Shop:
    """Another tenant of the same platform."""
    return Shop(platform, f"rival-{next(_TENANTS)}")
