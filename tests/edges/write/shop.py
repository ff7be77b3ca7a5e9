"""A running write API to talk to as one tenant, and the log behind it."""

from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID, uuid4

import httpx

from infra.auth import SCOPES, Scope
from infra.event_log import Stored
from infra.issuer import mint
from infra.runtime import Runtime
from write_api.main import WriteApi

CONTACT: Final = {
    "name": "Ana Lúcia",
    "email": "ana@example.org",
    "phone": "+351910000000",
    "address": "Rua do Sol 1",
    "note": "Leave it with the neighbour",
}
COFFEE: Final = {"sku": "COFFEE", "name": "Coffee, 250 g", "price": {"amount": 1250, "currency": "EUR"}}


def an_order(quantity: int = 2, sku: str = "COFFEE") -> dict[str, Any]:
    return {
        "contact": CONTACT,
        "lines": [{"sku": sku, "quantity": quantity}],
        "payment_token": "tok_visa",
    }


@dataclass(frozen=True)
class Shop:
    runtime: Runtime
    api: WriteApi
    client: httpx.AsyncClient
    keys_folder: Any
    tenant_id: str
    grpc: str
    subject: str = "ana"
    scopes: tuple[Scope, ...] = SCOPES

    def as_(self, subject: str, *scopes: Scope, tenant_id: str | None = None) -> "Shop":
        """Give the same API as somebody else sees it; without scopes, with all."""
        return replace(self, subject=subject, scopes=scopes or SCOPES, tenant_id=tenant_id or self.tenant_id)

    @property
    def token(self) -> str:
        return mint(
            self.keys_folder,
            self.runtime.settings,
            tenant_id=self.tenant_id,
            subject=self.subject,
            scopes=self.scopes,
        )

    async def post(
        self,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        version: int | None = None,
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token}", "idempotency-key": key or str(uuid4())}
        if version is not None:
            headers["if-match"] = f'"{version}"'
        return await self.client.post(path, json={} if body is None else body, headers=headers)

    async def send(self, content: bytes, *headers: tuple[str, str], path: str = "/v1/orders") -> httpx.Response:
        """Send bytes as they are, with exactly these headers beside the token and a key."""
        known = [("authorization", f"Bearer {self.token}"), ("idempotency-key", str(uuid4()))]
        return await self.client.post(path, content=content, headers=[*known, *headers])

    async def sell_coffee(self) -> None:
        (await self.post("/v1/products", COFFEE)).raise_for_status()

    async def place(self, quantity: int = 2) -> UUID:
        """Sell coffee and place an order for it."""
        await self.sell_coffee()
        placed = await self.post("/v1/orders", an_order(quantity))
        placed.raise_for_status()
        return UUID(placed.json()["order_id"])

    async def events(self) -> list[Stored]:
        """Give everything that this tenant has in the log."""
        return [
            stored
            for stored in await self.runtime.log.read(after=0, limit=100_000)
            if stored.recorded.tenant_id == self.tenant_id
        ]

    async def topics(self) -> list[str]:
        return [stored.topic for stored in await self.events()]
