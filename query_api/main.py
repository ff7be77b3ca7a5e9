"""The query API process: REST, the stream of changes and the page, all of them reading only."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from fastapi import FastAPI

from infra.auth import Auth
from infra.http import serve
from infra.runtime import Runtime
from infra.stopping import stop
from query_api.answers import Answers
from query_api.console.pages import Console, console_routes
from query_api.cursors import Cursors
from query_api.description import describe
from query_api.health import health_routes
from query_api.notices import Notices
from query_api.operations import catalogue_routes, figure_routes
from query_api.positions import Positions
from query_api.refusals import install_refusals
from query_api.rest import order_routes
from query_api.stream import SlowReaders, Streams, stream_routes


def build(answers: Answers, streams: Streams, console: Console, auth: Auth) -> FastAPI:
    """Give the app; starts and connects nothing."""
    app = FastAPI(title="OrderFlow query API", version="1", docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_middleware(SlowReaders)
    app.include_router(order_routes(answers, auth))
    app.include_router(catalogue_routes(answers, auth))
    app.include_router(figure_routes(answers, auth, console.redis, console.now))
    app.include_router(stream_routes(streams, auth))
    app.include_router(console_routes(console, streams))
    app.include_router(health_routes(answers.pool))
    install_refusals(app)
    describe(app)
    return app


@asynccontextmanager
async def service(runtime: Runtime) -> AsyncIterator[Mapping[str, str]]:
    """Serve until the block ends; yields `query_url`."""
    settings, pool = runtime.settings, runtime.pool
    positions = Positions(pool, runtime.signals)
    notices = Notices(runtime.feed, runtime.log, pool, positions)
    cursors = Cursors(settings.cursor_secret)
    console = Console(settings.console_tenant, settings.host, pool, runtime.redis, _now)
    app = build(Answers(pool, positions, cursors), Streams(notices, cursors), console, Auth.of_settings(settings))
    background = [
        runtime.tasks.create_task(positions.watch(), name="query_api:positions"),
        runtime.tasks.create_task(notices.run(), name="query_api:notices"),
    ]
    try:
        async with serve(app, host=settings.host, port=settings.query_port) as url:
            try:
                yield {"query_url": url}
            finally:
                notices.close()
    finally:
        await stop(background)


def _now() -> datetime:
    return datetime.now(UTC)
