"""One write API over a real PostgreSQL per module; every test is a tenant of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from infra.issuer import ensure_keys
from infra.runtime import open_runtime
from infra.settings import Settings
from tests.edges.promised import promised
from tests.edges.write.shop import Shop
from tests.vault import vault_file
from write_api.main import opened
from write_api.openapi import unconnected

_TENANTS: Final = count(1)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    ensure_keys(folder)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(module_database: str, keys: Path) -> AsyncIterator[Shop]:
    settings = Settings(
        postgres_dsn=SecretStr(module_database),
        jwks_file=keys / "jwks.json",
        vault_file=vault_file(),
        query_url="https://query.example",
    )
    async with asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(open_runtime(settings, tasks))
        api, urls = await stack.enter_async_context(opened(runtime))
        hooks = {"response": [promised(unconnected().openapi())]}
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=urls["write_url"], timeout=20, event_hooks=hooks)
        )
        yield Shop(runtime, api, client, keys, "nobody", urls["write_grpc"])


@pytest.fixture
def shop(running: Shop) -> Shop:
    return replace(running, tenant_id=f"tenant-{next(_TENANTS)}")
