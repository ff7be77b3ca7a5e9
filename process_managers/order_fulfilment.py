"""The process that takes one order from placing to completion, or undoes it: facts in, commands out, no I/O."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from process_managers.fulfilment_facts import Step, note, order_of
from process_managers.fulfilment_state import Deadlines, Line, OrderFulfilment, Wait
from schemas.base import Instant, Message
from schemas.commands import (
    AuthorisePayment,
    CancelOrder,
    Command,
    CompleteOrder,
    ConfirmOrder,
    ReleaseStock,
    RequestPayment,
    ReserveStock,
    VoidPayment,
)
from schemas.events.order import CancelReason, OrderPlaced
from schemas.ids import payment_id
from schemas.recorded import Recorded

__all__ = ["DeadlinePassed", "Deadlines", "OrderFulfilment", "Reaction", "order_of", "react"]

_TOO_LATE: Final[dict[Wait, CancelReason]] = {
    "stock": "stock_deadline",
    "payment": "payment_deadline",
    "shipment": "shipment_deadline",
}


class DeadlinePassed(Message):
    """The timer's message; ignored when `deadline_at` is no longer the deadline of the process."""

    order_id: UUID
    deadline_at: Instant


@dataclass(frozen=True, slots=True)
class Reaction:
    """The new state, with its phase and deadline, and what is to be sent. `state` is None when no process begins."""

    state: OrderFulfilment | None
    commands: tuple[Command, ...] = ()

    @property
    def deadline(self) -> datetime | None:
        """When the timer must tell; replaces whatever was set before."""
        return self.state.deadline_at if self.state else None


def react(
    process: OrderFulfilment | None, message: Recorded | DeadlinePassed, *, now: datetime, deadlines: Deadlines
) -> Reaction:
    """Note what the message says, then ask for what the facts together call for and nobody has asked for yet.

    So the streams of one order may arrive in any interleaving; each event is expected once, in the order of its
    stream. Events of an unknown order change nothing: a process begins with order.placed and all else follows from it.
    """
    step = _heard(process, message)
    if step is None:
        return Reaction(process)
    noted, told = step
    advanced, asked = _advance(noted)
    return Reaction(advanced.awaiting(now, deadlines), (*told, *asked))


def _heard(process: OrderFulfilment | None, message: Recorded | DeadlinePassed) -> Step | None:
    if isinstance(message, DeadlinePassed):
        wanted = process and process.deadline_at == message.deadline_at
        return _overdue(process) if process and wanted else None
    if process:
        return note(process, message)
    return _begin(message, message.event) if isinstance(message.event, OrderPlaced) else None


def _begin(recorded: Recorded, placed: OrderPlaced) -> Step:
    order_id = recorded.stream_id
    process = OrderFulfilment(
        order_id=order_id,
        correlation_id=recorded.trace.correlation_id,
        payment_token=placed.payment_token,
        total=placed.total,
        lines=tuple(Line(line.sku, line.quantity) for line in placed.lines),
    )
    return process, tuple(
        ReserveStock(sku=line.sku, order_id=order_id, quantity=line.quantity) for line in process.lines
    )


def _overdue(process: OrderFulfilment) -> Step:
    reason = _TOO_LATE.get(process.waits_for) if process.waits_for and not process.shipments else None
    return _cancel(process, reason) if reason else (replace(process, deadline_at=None, overdue=True), ())


def _advance(process: OrderFulfilment) -> Step:
    if process.order == "cancelled":
        return _undo(process)
    if process.shipments:
        return _complete(process)
    if "cancel" in process.asked:
        return process, ()
    if any(line.stock == "short" for line in process.lines):
        return _cancel(process, "out_of_stock")
    if process.payment in ("declined", "voided"):
        return _cancel(process, "payment_declined")
    return _go_on(process)


def _go_on(process: OrderFulfilment) -> Step:
    order_id, total, token = process.order_id, process.total, process.payment_token
    match process.payment:
        case "none" if all(line.stock == "reserved" for line in process.lines):
            request = RequestPayment(order_id=order_id, amount=total, payment_token=token)
            return replace(process, payment="asked"), (request,)
        case "requested":
            authorise = AuthorisePayment(
                order_id=order_id, payment_id=payment_id(order_id), amount=total, payment_token=token
            )
            return replace(process, payment="authorising"), (authorise,)
        case "authorised" if process.order == "placed" and "confirm" not in process.asked:
            return replace(process, asked=(*process.asked, "confirm")), (ConfirmOrder(order_id=order_id),)
        case _:
            return process, ()


def _cancel(process: OrderFulfilment, reason: CancelReason) -> Step:
    cancel = CancelOrder(order_id=process.order_id, reason=reason)
    return replace(process, asked=(*process.asked, "cancel")), (cancel,)


def _undo(process: OrderFulfilment) -> Step:
    """Give back what is held or may yet be: an answer still under way is met by the release or the void."""
    held = [line for line in process.lines if line.stock in ("asked", "reserved", "short")]
    releases: list[Command] = [ReleaseStock(sku=line.sku, order_id=process.order_id) for line in held]
    lines = tuple(replace(line, stock="releasing") if line in held else line for line in process.lines)
    undone = replace(process, lines=lines)
    if process.payment in ("none", "voiding", "declined", "voided"):
        return undone, tuple(releases)
    void = VoidPayment(order_id=process.order_id, payment_id=payment_id(process.order_id))
    return replace(undone, payment="voiding"), (*releases, void)


def _complete(process: OrderFulfilment) -> Step:
    due = process.order == "confirmed" and process.all_delivered and not process.uncaptured
    if not due or "complete" in process.asked:
        return process, ()
    return replace(process, asked=(*process.asked, "complete")), (CompleteOrder(order_id=process.order_id),)
