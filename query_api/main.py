"""The query API process: REST, the stream of changes and the page, all of them reading only."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from fastapi import FastAPI

from infra.auth import Auth
from infra.event_log import EventLog
from infra.http import serve
from infra.openapi import operation_id
from infra.reference import reference_routes
from infra.replaying import Replays
from infra.rpc.server import Services, serve_rpc
from infra.runtime import Runtime
from infra.stopping import stop
from infra.tenant_keys import TenantKeys
from infra.vault import Vault
from query_api.audit.questions import AuditQuestions
from query_api.audit.record import Looks
from query_api.audit.rest import audit_routes
from query_api.console.pages import Console, console_routes
from query_api.contacts import Contacts
from query_api.cursors import Cursors
from query_api.description import describe
from query_api.health import health_routes, readable
from query_api.history.questions import PastQuestions
from query_api.history.rest import past_routes
from query_api.notices import Notices
from query_api.operations import catalogue_routes, figure_routes
from query_api.pasts import Pasts
from query_api.positions import Positions
from query_api.questions import OrderQuestions, ShopQuestions
from query_api.reading import Reading
from query_api.refusals import install_refusals
from query_api.rest import order_routes
from query_api.rpc import services
from query_api.stream import SlowReaders, Streams, stream_routes


@dataclass(frozen=True, slots=True)
class QueryApi:
    app: FastAPI
    rpc: Services


def build(reading: Reading, log: EventLog, streams: Streams, console: Console, auth: Auth) -> QueryApi:
    """Give what serves HTTP and gRPC; starts and connects nothing."""
    looks = Looks(reading.pool, console.now)
    about_orders = OrderQuestions(reading, console.contacts, looks)
    about_shop = ShopQuestions(reading, console.redis, console.now, looks)
    about_the_past = PastQuestions(reading, log, looks)
    about_looks = AuditQuestions(reading, looks)
    app = FastAPI(
        title="OrderFlow query API",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
    )
    app.add_middleware(SlowReaders)
    app.include_router(order_routes(about_orders, auth))
    app.include_router(catalogue_routes(about_shop, auth))
    app.include_router(figure_routes(about_shop, auth))
    app.include_router(past_routes(about_the_past, auth))
    app.include_router(audit_routes(about_looks, auth))
    app.include_router(stream_routes(streams, auth))
    app.include_router(console_routes(console, streams))
    app.include_router(reference_routes())
    app.include_router(health_routes(reading.pool))
    install_refusals(app)
    describe(app)
    ready = partial(readable, reading.pool)
    rpc = services(about_orders, about_shop, about_the_past, about_looks, streams, auth=auth, ready=ready)
    return QueryApi(app, rpc)


@asynccontextmanager
async def service(runtime: Runtime) -> AsyncIterator[Mapping[str, str]]:
    """Serve until the block ends; yields `query_url` and `query_grpc`."""
    settings, pool = runtime.settings, runtime.pool
    positions = Positions(pool, runtime.signals)
    notices = Notices(runtime.feed, runtime.log, pool, positions)
    cursors = Cursors(settings.cursor_secret)
    contacts = Contacts(Vault(pool, runtime.signals, TenantKeys.of_settings(settings)))
    console = Console(settings.console_tenant, settings.host, pool, runtime.redis, contacts, _now)
    pasts = Pasts(pool, Replays(settings))
    reading, streams = Reading(pool, positions, cursors, pasts), Streams(notices, cursors, Looks(pool, _now))
    api = build(reading, runtime.log, streams, console, Auth.of_settings(settings))
    background = [
        runtime.tasks.create_task(positions.watch(), name="query_api:positions"),
        runtime.tasks.create_task(notices.run(), name="query_api:notices"),
    ]
    try:
        async with (
            serve(api.app, host=settings.host, port=settings.query_port) as url,
            serve_rpc(api.rpc, settings, settings.query_grpc_port) as place,
        ):
            try:
                yield {"query_url": url, "query_grpc": place}
            finally:
                notices.close()
    finally:
        await pasts.close()
        await stop(background)


def _now() -> datetime:
    return datetime.now(UTC)
