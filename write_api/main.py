"""The composition root of the write side: the only place that appends events."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import APIRouter, FastAPI

from infra.appender import Appender
from infra.auth import Auth
from infra.event_log import EventLog
from infra.http import serve
from infra.problems import install_problems
from infra.runtime import Runtime
from infra.settings import Settings
from infra.strict_json import strict_route
from schemas.ids import new_id
from write_api.catalogue import Catalogue
from write_api.description import describe
from write_api.handler import Handler
from write_api.inbox import CONCURRENCY, inbox
from write_api.refusals import install_refusals
from write_api.rest import add_fulfilment_routes, add_order_routes
from write_api.rest_shop import add_product_routes, add_stock_routes
from write_api.streams import Streams


@dataclass(frozen=True, slots=True)
class WriteApi:
    app: FastAPI
    handler: Handler
    streams: Streams


def build(settings: Settings, log: EventLog, appender: Appender, auth: Auth) -> WriteApi:
    """Wire the write side together; starts nothing."""
    streams = Streams(log)
    handler = Handler(streams, appender, now=lambda: datetime.now(UTC), new_id=new_id)
    router = APIRouter(prefix="/v1", route_class=strict_route(auth.of_request, max_body_bytes=settings.max_body_bytes))
    orders_url = f"{(settings.query_url or '').rstrip('/')}/v1/orders"
    add_order_routes(router, handler, Catalogue(streams), auth, orders_url=orders_url)
    add_fulfilment_routes(router, handler, auth)
    add_product_routes(router, handler, auth)
    add_stock_routes(router, handler, auth)
    app = FastAPI(title="OrderFlow write API", version="1", docs_url=None, redoc_url=None, redirect_slashes=False)
    app.include_router(router)
    _add_health(app, log)
    install_problems(app)
    install_refusals(app)
    describe(app)
    return WriteApi(app, handler, streams)


@asynccontextmanager
async def opened(runtime: Runtime) -> AsyncIterator[tuple[WriteApi, str]]:
    """Serve commands over HTTP and from the inbox; yields the base URL beside what serves it."""
    settings = runtime.settings
    async with AsyncExitStack() as stack:
        appender = await stack.enter_async_context(
            Appender(
                settings.postgres_dsn.get_secret_value(),
                runtime.pool,
                lock_timeout=settings.lock_timeout_ms / 1_000,
                statement_timeout=settings.statement_timeout_ms / 1_000,
            )
        )
        api = build(settings, runtime.log, appender, Auth.of_settings(settings))
        runtime.bus.consume("orders.inbox", inbox(api.handler), concurrency=CONCURRENCY)
        head = await runtime.log.head()
        following = runtime.tasks.create_task(api.streams.follow(runtime.feed, after=head), name="write_api:streams")
        stack.callback(following.cancel)
        yield api, await stack.enter_async_context(serve(api.app, host=settings.host, port=settings.write_port))


@asynccontextmanager
async def service(runtime: Runtime) -> AsyncIterator[Mapping[str, str]]:
    """Serve; yields `write_url`."""
    async with opened(runtime) as (_, url):
        yield {"write_url": url}


def _add_health(app: FastAPI, log: EventLog) -> None:
    @app.get("/healthz", tags=["health"])
    async def alive() -> dict[str, str]:
        """Tell that the process answers."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"])
    async def ready() -> dict[str, str]:
        """Tell that commands can be carried out: the log answers."""
        await log.head()
        return {"status": "ok"}
