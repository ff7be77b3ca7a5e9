"""Runs the fulfilment process over the event feed: states and commands of a batch change in one transaction."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg import AsyncConnection

from infra.event_log import Stored
from infra.subscription import Subscription
from process_managers.order_fulfilment import Deadlines, order_of, react
from process_managers.process_store import PROCESS, Owned, load, store
from schemas.base import Trace
from schemas.commands import (
    CapturePayment,
    Command,
    DispatchStock,
    NotifyCustomer,
    ReleaseStock,
    ReserveStock,
    Sent,
)
from schemas.ids import message_id

_PACE_SECONDS: Final = 0.02
_ACTOR: Final = f"process:{PROCESS}"


def addressed(commands: Iterable[Command], *, tenant_id: str, trace: Trace, now: datetime) -> list[Sent]:
    """Put commands in their envelopes; the ids follow from the cause, so reacting again sends the same messages."""
    return [
        Sent(
            message_id=message_id(trace.causation_id, command.type, _subject(command)),
            tenant_id=tenant_id,
            actor=_ACTOR,
            trace=trace,
            sent_at=now,
            command=command,
        )
        for command in commands
    ]


def _subject(command: Command) -> str:
    match command:
        case ReserveStock() | ReleaseStock() | DispatchStock():
            return command.sku
        case CapturePayment():
            return str(command.capture_id)
        case NotifyCustomer():
            return command.template
        case _:
            return ""


def subscription(deadlines: Deadlines, now: Callable[[], datetime]) -> Subscription:
    """Give the subscription that runs the process."""

    async def apply(connection: AsyncConnection, batch: Sequence[Stored]) -> None:
        await run(connection, batch, deadlines=deadlines, now=now())

    return Subscription(PROCESS, frozenset({"order", "stock", "payment"}), apply, pace=_PACE_SECONDS, rest=2)


async def run(connection: AsyncConnection, batch: Sequence[Stored], *, deadlines: Deadlines, now: datetime) -> None:
    """React to each event in turn, in the caller's transaction."""
    concerned = [(order_id, stored.recorded) for stored in batch if (order_id := order_of(stored.recorded))]
    known = await load(connection, {order_id for order_id, _ in concerned})
    changed: dict[UUID, Owned] = {}
    commands: list[Sent] = []
    for order_id, recorded in concerned:
        owned = known.get(order_id)
        reaction = react(owned.process if owned else None, recorded, now=now, deadlines=deadlines)
        if reaction.state is None:
            continue
        tenant_id = owned.tenant_id if owned else recorded.tenant_id
        known[order_id] = changed[order_id] = Owned(tenant_id, reaction.state)
        trace = recorded.trace.model_copy(update={"causation_id": recorded.event_id})
        commands += addressed(reaction.commands, tenant_id=tenant_id, trace=trace, now=now)
    await store(connection, changed.values(), commands, now)
