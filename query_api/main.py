"""The query API process: REST, the stream of changes and the page, all of them reading only."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from fastapi import FastAPI

from infra.auth import Auth
from infra.http import serve
from infra.runtime import Runtime
from query_api.answers import Answers
from query_api.cursors import Cursors
from query_api.openapi import describe
from query_api.operations import catalogue_routes, figure_routes
from query_api.positions import Positions
from query_api.refusals import install_refusals
from query_api.rest import order_routes


def build(runtime: Runtime, positions: Positions) -> FastAPI:
    """Give the app; whoever serves it also runs `positions.watch`."""
    app = FastAPI(title="OrderFlow queries", version="1", docs_url=None, redoc_url=None)
    install_refusals(app)
    auth = Auth.of_settings(runtime.settings)
    answers = Answers(runtime.pool, positions, Cursors(runtime.settings.cursor_secret))
    app.include_router(order_routes(answers, auth))
    app.include_router(catalogue_routes(answers, auth))
    app.include_router(figure_routes(answers, auth, runtime.redis, _now))
    describe(app)
    return app


@asynccontextmanager
async def service(runtime: Runtime) -> AsyncIterator[Mapping[str, str]]:
    """Serve until the block ends; yields `query_url`."""
    positions = Positions(runtime.pool, runtime.signals)
    background = [runtime.tasks.create_task(positions.watch(), name="query:positions")]
    settings = runtime.settings
    try:
        async with serve(build(runtime, positions), host=settings.host, port=settings.query_port) as url:
            yield {"query_url": url}
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)


def _now() -> datetime:
    return datetime.now(UTC)
