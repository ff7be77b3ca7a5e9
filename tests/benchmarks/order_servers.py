"""The servers that `bench_place_order` compares, each run in a process of its own."""

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import uvloop
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from fastapi import APIRouter, Depends, FastAPI
from psycopg.conninfo import conninfo_to_dict
from pydantic import BaseModel, SecretStr
from starlette.responses import Response

from infra.auth import Auth
from infra.http import serve
from infra.pauses import shorten_pauses
from infra.problems import install_problems
from infra.runtime import open_runtime
from infra.settings import Settings
from infra.strict_json import strict_route
from infra.tenant_keys import ensure_secret
from schemas.ids import new_id
from schemas.money import Money
from write_api.answers import answer
from write_api.asking import Asking, asking
from write_api.bodies import PlaceOrderBody
from write_api.handler import Done
from write_api.main import opened
from write_api.receipts import OrderReceipt


def settings_for(dsn: str, keys: Path) -> Settings:
    return Settings(postgres_dsn=SecretStr(dsn), jwks_file=keys / "jwks.json", vault_file=ensure_secret(keys / "vault"))


async def ours(dsn: str, keys: Path, ready: Path) -> None:
    """Serve the write API alone, as the embedded profile runs it."""
    async with asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(open_runtime(settings_for(dsn, keys), tasks))
        _, urls = await stack.enter_async_context(opened(runtime))
        await _stay(ready, urls["write_url"])


async def both(dsn: str, keys: Path, ready: Path) -> None:
    """The same, and say where gRPC is, too."""
    async with asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(open_runtime(settings_for(dsn, keys), tasks))
        _, urls = await stack.enter_async_context(opened(runtime))
        await _stay(ready, f"{urls['write_url']} {urls['write_grpc']}")


async def unstored(dsn: str, keys: Path, ready: Path) -> None:
    """Serve what `POST /v1/orders` would be without a log: authenticate, validate, answer."""
    settings = settings_for(dsn, keys)
    auth = Auth.of_settings(settings)
    router = APIRouter(prefix="/v1", route_class=strict_route(auth.of_request, max_body_bytes=settings.max_body_bytes))

    @router.post("/orders", status_code=201)
    async def place_order(
        body: PlaceOrderBody, by: Annotated[Asking, Depends(asking(auth, "orders:write"))]
    ) -> Response:
        by.by(body)
        total = Money(amount=1250, currency="EUR")
        receipt = OrderReceipt(version=1, order_id=new_id(), status="placed", total=total)
        return answer(Done(1, receipt.model_dump_json().encode()), 201, orders_url="/v1/orders")

    app = FastAPI(redirect_slashes=False)
    app.include_router(router)
    install_problems(app)
    async with serve(app, host="127.0.0.1", port=0) as url:
        await _stay(ready, url)


class Order(Aggregate):
    @event("Placed")
    def __init__(self, contact: dict[str, str], lines: list[dict[str, Any]], payment_token: str, total: int) -> None:
        self.contact = contact
        self.lines = lines
        self.payment_token = payment_token
        self.total = total


class Line(BaseModel):
    sku: str
    quantity: int


class PlainBody(BaseModel):
    contact: dict[str, str]
    lines: list[Line]
    payment_token: str


async def peer(dsn: str, _keys: Path, ready: Path) -> None:
    """Serve what a tutorial would write: FastAPI, an aggregate of `eventsourcing`, and its PostgreSQL module.

    It neither authenticates, nor looks at prices, nor keeps idempotency keys.
    """
    database: Application[Any] = Application(
        env={"PERSISTENCE_MODULE": "eventsourcing.postgres", "POSTGRES_POOL_SIZE": "20", **_libpq(dsn)}
    )
    app = FastAPI()

    @app.post("/v1/orders", status_code=201)
    def place_order(body: PlainBody) -> dict[str, Any]:
        lines = [line.model_dump() for line in body.lines]
        order = Order(body.contact, lines, body.payment_token, sum(line.quantity * 1250 for line in body.lines))
        database.save(order)
        return {"order_id": str(order.id), "version": order.version, "status": "placed", "total": order.total}

    async with serve(app, host="127.0.0.1", port=0) as url:
        await _stay(ready, url)


def _libpq(dsn: str) -> dict[str, str]:
    parts = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}
    return {
        "POSTGRES_DBNAME": parts["dbname"],
        "POSTGRES_HOST": parts["host"],
        "POSTGRES_PORT": parts.get("port", "5432"),
        "POSTGRES_USER": parts["user"],
        "POSTGRES_PASSWORD": parts.get("password", str(uuid4())),
    }


async def _stay(ready: Path, url: str) -> None:
    shorten_pauses()
    unfinished = ready.with_suffix(".part")
    unfinished.write_text(url)
    unfinished.rename(ready)
    await asyncio.Event().wait()


SERVERS = {"ours": ours, "both": both, "unstored": unstored, "peer": peer}

if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    dsn, keys, ready = arguments
    uvloop.run(SERVERS[name](dsn, Path(keys), Path(ready)))
