"""Commands of processes and workers, delivered as the bus delivers them."""

from datetime import UTC, datetime
from uuid import UUID

from schemas.base import Trace
from schemas.commands import Command, Sent
from schemas.ids import new_id
from tests.edges.write.shop import Shop
from write_api.inbox import inbox


def sent(shop: Shop, command: Command, message_id: UUID | None = None) -> Sent:
    return Sent(
        message_id=message_id or new_id(),
        tenant_id=shop.tenant_id,
        actor="process:order_fulfilment",
        trace=Trace(correlation_id=new_id(), causation_id=new_id()),
        sent_at=datetime.now(UTC),
        command=command,
    )


async def deliver(shop: Shop, message: Sent) -> None:
    await inbox(shop.api.handler)(message)
