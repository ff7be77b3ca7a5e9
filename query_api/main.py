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
from query_api.notices import Notices
from query_api.openapi import describe
from query_api.operations import catalogue_routes, figure_routes
from query_api.positions import Positions
from query_api.refusals import install_refusals
from query_api.rest import order_routes
from query_api.stream import SlowReaders, Streams, stream_routes


def build(runtime: Runtime, positions: Positions, notices: Notices) -> FastAPI:
    """Give the app; whoever serves it also runs `positions.watch` and `notices.run`."""
    app = FastAPI(title="OrderFlow queries", version="1", docs_url=None, redoc_url=None)
    install_refusals(app)
    auth = Auth.of_settings(runtime.settings)
    cursors = Cursors(runtime.settings.cursor_secret)
    streams = Streams(notices, cursors)
    answers = Answers(runtime.pool, positions, cursors)
    app.add_middleware(SlowReaders)
    app.include_router(order_routes(answers, auth))
    app.include_router(catalogue_routes(answers, auth))
    app.include_router(figure_routes(answers, auth, runtime.redis, _now))
    app.include_router(stream_routes(streams, auth))
    describe(app)
    return app


@asynccontextmanager
async def service(runtime: Runtime) -> AsyncIterator[Mapping[str, str]]:
    """Serve until the block ends; yields `query_url`."""
    positions = Positions(runtime.pool, runtime.signals)
    notices = Notices(runtime.feed, runtime.log, runtime.pool, positions)
    background = [
        runtime.tasks.create_task(positions.watch(), name="query:positions"),
        runtime.tasks.create_task(notices.run(), name="query:notices"),
    ]
    settings = runtime.settings
    try:
        app = build(runtime, positions, notices)
        async with serve(app, host=settings.host, port=settings.query_port) as url:
            try:
                yield {"query_url": url}
            finally:
                notices.close()
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)


def _now() -> datetime:
    return datetime.now(UTC)
