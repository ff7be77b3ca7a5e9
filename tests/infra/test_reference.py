"""The page at /docs asks nobody but its own API for anything."""

import re

import httpx
import pytest
from fastapi import FastAPI

from infra.problems import install_problems
from infra.reference import reference_routes


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = FastAPI(docs_url=None)
    app.include_router(reference_routes())
    install_problems(app)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.example")


async def test_everything_that_the_page_loads_comes_from_the_api_itself(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    loaded = [name for name in re.findall(r'(?:src|href)="([^"]+)"', page.text) if not name.startswith("data:")]
    assert {name for name in loaded if "//" in name} == set()
    for name in loaded:
        if name != "openapi.json":
            assert (await client.get(f"/{name}")).status_code == 200, name
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script>" not in page.text


@pytest.mark.parametrize("name", ["nothing.js", "page.html", "..%2f..%2fsettings.py", "redoc.standalone.js"])
async def test_nothing_else_is_served(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.get(f"/docs/{name}")).status_code == 404


async def test_the_page_is_dark_for_who_prefers_that_by_a_name_that_the_package_styles(
    client: httpx.AsyncClient,
) -> None:
    assert 'classList.toggle("dark-mode"' in (await client.get("/docs/start.js")).text
    assert "html.dark-mode .swagger-ui{" in (await client.get("/docs/swagger-ui.css")).text
