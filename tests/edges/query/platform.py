"""A running query side to ask, and a log to write facts into."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

import httpx

from infra.auth import SCOPES, Scope
from infra.runtime import Runtime
from infra.signals import EVENTS
from infra.vault import Vault, contact_of
from schemas.events import Event
from schemas.ids import new_id
from schemas.recorded import Recorded, encode
from tests.examples import CUSTOMER_ID, NOON, a_contact, a_line, recorded
from tests.examples import placed as placed_event
from tests.vault import TENANTS

CUSTOMER: Final = "ana"
"""Subject of the token that belongs to the customer of the examples."""
Query = Mapping[str, str | int | float | Sequence[str | int] | None]
_NOTHING: Final[Query] = MappingProxyType({})
_APPEND: Final = """
INSERT INTO stored_events (originator_id, originator_version, topic, state)
VALUES (%s, %s, %s, %s) RETURNING notification_id
"""


@dataclass(frozen=True)
class Platform:
    runtime: Runtime
    client: httpx.AsyncClient
    grpc: str
    token: Callable[[Sequence[Scope], str, str], str]

    async def write(self, *facts: Recorded) -> int:
        """Append facts as the only writer; gives the position of the last."""
        position = 0
        async with self.runtime.pool.connection() as connection, connection.transaction():
            for fact in facts:
                values = (fact.stream_id, fact.version, fact.event.type, encode(fact))
                row = await (await connection.execute(_APPEND, values)).fetchone()
                position = row[0] if row else 0
        self.runtime.signals.poke(EVENTS)
        return position


@dataclass
class Shop:
    """A tenant of its own for one test. Whatever was written before a question is seen by its answer."""

    platform: Platform
    tenant_id: str
    position: int = 0
    versions: dict[UUID, int] = field(default_factory=dict)

    async def tell(self, event: Event, *, order_id: UUID | None = None, at: datetime | None = None) -> int:
        about = recorded(event, order_id=order_id or new_id(), tenant_id=self.tenant_id)
        version = self.versions[about.stream_id] = self.versions.get(about.stream_id, 0) + 1
        fact = about.model_copy(update={"version": version, "event_id": new_id(), "occurred_at": at or NOON})
        self.position = await self.platform.write(fact)
        return self.position

    async def placed(
        self, *, name: str = "Ana Souza", customer_id: UUID = CUSTOMER_ID, at: datetime = NOON, price: int = 1450
    ) -> UUID:
        order_id = new_id()
        vault = Vault(self.platform.runtime.pool, self.platform.runtime.signals, TENANTS)
        contact = await vault.seal(a_contact(name), contact_of(order_id), self.tenant_id, customer_id)
        order = placed_event(a_line(unit_price=price), customer_id=customer_id, contact=contact)
        await self.tell(order, order_id=order_id, at=at)
        return order_id

    def headers(self, *scopes: Scope, subject: str = "staff") -> dict[str, str]:
        """Give the headers of a caller, with every scope unless told otherwise."""
        return {"authorization": f"Bearer {self.platform.token(scopes or SCOPES, self.tenant_id, subject)}"}

    async def get(self, path: str, *scopes: Scope, subject: str = "staff", query: Query = _NOTHING) -> httpx.Response:
        asked = {"min_position": self.position, "wait": 5, **query}
        return await self.platform.client.get(path, params=asked, headers=self.headers(*scopes, subject=subject))

    async def order_ids(self, *scopes: Scope, subject: str = "staff", query: Query = _NOTHING) -> list[UUID]:
        answer = await self.get("/v1/orders", *scopes, subject=subject, query=query)
        return [UUID(order["order_id"]) for order in answer.json()["items"]]
