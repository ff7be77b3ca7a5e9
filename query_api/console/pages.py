"""Pages of the tenant that `console_tenant` names, for a machine of one's own; without it, a notice and no data."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import Response

from infra.auth import Caller
from infra.http import LOOPBACK_NAMES
from infra.problems import Problem
from query_api import live, orders
from query_api.console.words import WORDS
from query_api.contacts import Contacts
from query_api.listing import Pool
from query_api.notices import Change
from query_api.parameters import OrderQuery
from query_api.stream import LastEventId, Listener, Streams
from schemas.views import Dashboard

_HERE: Final = Path(__file__).parent
_RECENT: Final = 20
_TIMELINE: Final = 500
_TYPES: Final = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_STREAM: Final = "/console/stream"
SECURITY: Final = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Console:
    """Renders the pages of one tenant."""

    tenant_id: str | None
    host: str
    pool: Pool
    redis: Redis
    contacts: Contacts
    now: Callable[[], datetime]

    def staff(self) -> Caller:
        """Whoever sits at this machine; raises the 404 problem when the page is for nobody."""
        if self.tenant_id is None:
            raise Problem(404)
        return Caller(self.tenant_id, "console", UUID(int=0), frozenset({"orders:manage", "operations:read"}))

    def check_host(self, request: Request) -> None:
        """Refuse names that are not this machine's: a foreign site could point its own name at the loopback address."""
        asked = urlsplit(f"//{request.headers.get('host', '')}").hostname
        if self.tenant_id and self.host in LOOPBACK_NAMES and asked not in LOOPBACK_NAMES:
            raise Problem(404)

    async def today(self) -> Response:
        if self.tenant_id is None:
            return _page("signin.html", 200)
        listing = orders.orders(self.staff(), OrderQuery(), self.contacts.tenants)
        reading = listing.page(self.pool, None, _RECENT)
        (recent, _), figures = await asyncio.gather(reading, self._figures(self.tenant_id))
        named = await self.contacts.named(recent, self.staff())
        return _page("today.html", 200, tenant_id=self.tenant_id, orders=named, figures=figures, stream=_STREAM)

    async def order(self, order_id: UUID) -> Response:
        order = await orders.order(self.staff(), order_id).one(self.pool)
        if order is None:
            return self.missing()
        told, _ = await orders.timeline(order_id, order.tenant_id).page(self.pool, None, _TIMELINE)
        stream = f"{_STREAM}?order_id={order_id}"
        order = await self.contacts.shown(order, self.staff())
        return _page("order.html", 200, tenant_id=self.tenant_id, order=order, timeline=told, stream=stream)

    def missing(self) -> Response:
        return _page("missing.html", 404, tenant_id=self.staff().tenant_id)

    async def _figures(self, tenant_id: str) -> Dashboard | None:
        try:
            return await live.dashboard(self.redis, tenant_id, self.now())
        except live.FiguresAway:
            return None


def console_routes(console: Console, streams: Streams) -> APIRouter:
    """Routes of the pages; they are no part of the API and of its document."""
    router = APIRouter(include_in_schema=False, dependencies=[Depends(console.check_host)])

    @router.get("/")
    async def today() -> Response:
        return await console.today()

    @router.get("/orders/{order_id:uuid}")
    async def order(order_id: UUID) -> Response:
        return await console.order(order_id)

    @router.get("/orders/{anything}")
    async def missing(anything: str) -> Response:
        del anything
        return console.missing()

    @router.get("/console/stream", response_class=EventSourceResponse, dependencies=[Depends(streams.admit)])
    async def listen(
        by: Annotated[Caller, Depends(console.staff)],
        order_id: UUID | None = None,
        last_event_id: LastEventId = None,
    ) -> AsyncIterator[Change]:
        async with aclosing(streams.events(Listener(by, order_id), last_event_id)) as events:
            async for event in events:
                yield event  # type: ignore[misc]  # as in `query_api.stream`

    @router.get("/assets/{name}")
    async def asset(name: str) -> Response:
        if name not in _TYPES:
            raise Problem(404)
        headers = {**SECURITY, "cache-control": "public, max-age=31536000, immutable"}
        return Response((_HERE / "static" / name).read_bytes(), headers=headers, media_type=_TYPES[name])

    return router


def _page(template: str, status: int, **shown: Any) -> Response:  # noqa: ANN401  # what a template shows
    html = _PAGES.get_template(template).render(**shown)
    return Response(html, status, {**SECURITY, "cache-control": "no-store"}, "text/html; charset=utf-8")


def _address(name: str) -> str:
    version = blake2b((_HERE / "static" / name).read_bytes(), digest_size=6).hexdigest()
    return f"/assets/{name}?v={version}"


_PAGES: Final = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_PAGES.globals |= {**WORDS, "css": _address("console.css"), "js": _address("console.js")}
_PAGES.globals |= {"stream": None, "tenant_id": None}
