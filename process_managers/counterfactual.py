"""Reacts to recorded events again: what was brought about must still be asked for, and the reverse."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from infra.histories import Differs
from process_managers.fulfilment_state import OrderFulfilment
from process_managers.inferred import Asking, asking_of, brought_about_by, passed_before
from process_managers.order_fulfilment import DeadlinePassed, Deadlines, Reaction, order_of, react
from process_managers.process_store import PROCESS
from schemas.recorded import Recorded

_DEADLINES: Final = Deadlines()
_OURS: Final = ("process:", "worker:")
_ALWAYS_TOLD: Final = frozenset(
    {"stock.reserve.v1", "stock.release.v1", "stock.dispatch.v1", "acquirer.capture.v1", "acquirer.void.v1"}
    | {"acquirer.refund.v1"}
)
"""What leaves an event whatever else happens. The others may come too late to change anything once there is a
cancellation."""
_TOLD_UNLESS_CANCELLED: Final = frozenset(
    {"payment.request.v1", "acquirer.authorise.v1", "order.confirm.v1", "order.complete.v1"}
)


@dataclass(slots=True)
class _Order:
    process: OrderFulfilment | None = None
    asked: dict[Asking, Differs] = field(default_factory=dict)
    """With what is told when it was never done."""
    done: set[Asking] = field(default_factory=set)
    newest: datetime | None = None


class ProcessJudge:
    """Keeps the process of every order. What leaves no event, such as a mail, cannot be judged."""

    def __init__(self, react: Callable[..., Reaction] = react) -> None:
        self._react = react
        self._orders: dict[UUID, _Order] = {}

    def hear(self, position: int, recorded: Recorded) -> Iterator[Differs]:
        order_id = order_of(recorded)
        if order_id is None:
            return
        order = self._orders.setdefault(order_id, _Order())
        order.newest = recorded.occurred_at
        passed = passed_before(order.process, recorded) if order.process else None
        if passed:
            self._tell(order, position, recorded, passed)
        asking = brought_about_by(recorded.event)
        if asking is not None:
            order.done.add(asking)
            if asking not in order.asked and recorded.actor.startswith(_OURS):
                yield _differs(position, recorded, recorded.event.type, f"{_said(asking)} is not asked for")
        self._tell(order, position, recorded, recorded)
        if order.process and order.process.ended and not order.asked.keys() - order.done:
            order.asked, order.done = {}, set()

    def end(self, settled_before: datetime) -> Iterator[Differs]:
        for order in self._orders.values():
            if order.newest is None or order.newest > settled_before:
                continue
            for asking, never_done in order.asked.items():
                if asking not in order.done and _must_be_done(asking, order):
                    yield never_done

    def _tell(self, order: _Order, position: int, recorded: Recorded, message: Recorded | DeadlinePassed) -> None:
        reaction = self._react(order.process, message, now=recorded.occurred_at, deadlines=_DEADLINES)
        order.process = reaction.state
        for command in reaction.commands:
            if (asking := asking_of(command)) is not None:
                said = f"{_said(asking)} is asked for"
                order.asked.setdefault(asking, _differs(position, recorded, "nothing of the kind", said))


def _must_be_done(asking: Asking, order: _Order) -> bool:
    name, _ = asking
    if name in _ALWAYS_TOLD:
        return True
    cancelled = order.process is not None and order.process.order == "cancelled"
    return name in _TOLD_UNLESS_CANCELLED and not cancelled


def _said(asking: Asking) -> str:
    return " ".join(filter(None, asking))


def _differs(position: int, recorded: Recorded, was: str, now: str) -> Differs:
    return Differs(position, recorded.stream_id, recorded.version, PROCESS, was, now)
