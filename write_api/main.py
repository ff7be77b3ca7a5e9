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
from infra.openapi import operation_id
from infra.problems import install_problems
from infra.reference import reference_routes
from infra.rpc.server import Services, serve_rpc
from infra.runtime import Runtime
from infra.settings import Settings
from infra.strict_json import strict_route
from infra.tenant_keys import TenantKeys
from infra.vault import Vault
from schemas.ids import new_id
from write_api.catalogue import Catalogue
from write_api.description import describe
from write_api.handler import Handler
from write_api.inbox import CONCURRENCY, inbox
from write_api.orders import Orders
from write_api.refusals import install_refusals
from write_api.rest import add_erasure_routes, add_fulfilment_routes, add_order_routes
from write_api.rest_shop import add_product_routes, add_stock_routes
from write_api.rpc import services
from write_api.shop import Shop
from write_api.streams import Streams


@dataclass(frozen=True, slots=True)
class WriteApi:
    app: FastAPI
    rpc: Services
    handler: Handler
    streams: Streams


def build(settings: Settings, log: EventLog, appender: Appender, vault: Vault, auth: Auth) -> WriteApi:
    """Wire the write side together; starts nothing."""
    streams = Streams(log)
    handler = Handler(streams, appender, now=lambda: datetime.now(UTC), new_id=new_id)
    router = APIRouter(prefix="/v1", route_class=strict_route(auth.of_request, max_body_bytes=settings.max_body_bytes))
    orders_url = f"{(settings.query_url or '').rstrip('/')}/v1/orders"
    orders, shop = Orders(handler, Catalogue(streams), vault), Shop(handler)
    add_order_routes(router, orders, auth, orders_url=orders_url)
    add_fulfilment_routes(router, orders, auth)
    add_erasure_routes(router, orders, auth)
    add_product_routes(router, shop, auth)
    add_stock_routes(router, shop, auth)
    app = FastAPI(
        title="OrderFlow write API",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
    )
    app.include_router(router)
    app.include_router(reference_routes())
    _add_health(app, log)
    install_problems(app)
    install_refusals(app)
    describe(app)
    return WriteApi(app, services(orders, shop, auth, log.head), handler, streams)


@asynccontextmanager
async def opened(runtime: Runtime) -> AsyncIterator[tuple[WriteApi, dict[str, str]]]:
    """Serve commands over HTTP, gRPC and from the inbox; yields `write_url` and `write_grpc` beside what serves it."""
    settings = runtime.settings
    vault = Vault(runtime.pool, runtime.signals, TenantKeys.of_settings(settings))
    async with AsyncExitStack() as stack:
        appender = await stack.enter_async_context(
            Appender(
                settings.postgres_dsn.get_secret_value(),
                runtime.pool,
                lock_timeout=settings.lock_timeout_ms / 1_000,
                statement_timeout=settings.statement_timeout_ms / 1_000,
            )
        )
        api = build(settings, runtime.log, appender, vault, Auth.of_settings(settings))
        runtime.bus.consume("orders.inbox", inbox(api.handler), concurrency=CONCURRENCY)
        head = await runtime.log.head()
        following = runtime.tasks.create_task(api.streams.follow(runtime.feed, after=head), name="write_api:streams")
        stack.callback(following.cancel)
        yield (
            api,
            {
                "write_url": await stack.enter_async_context(
                    serve(api.app, host=settings.host, port=settings.write_port)
                ),
                "write_grpc": await stack.enter_async_context(serve_rpc(api.rpc, settings, settings.write_grpc_port)),
            },
        )


@asynccontextmanager
async def service(runtime: Runtime) -> AsyncIterator[Mapping[str, str]]:
    """Serve; yields `write_url` and `write_grpc`."""
    async with opened(runtime) as (_, places):
        yield places


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
