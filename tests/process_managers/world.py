"""Everything around one process, with the real rules of the domain: what it asks for happens, in any order."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from domain.errors import DomainError
from domain.order.commands import CancelAnyOrder, RecordDelivery, RecordShipment
from domain.payment.commands import AskRefund
from process_managers.order_fulfilment import DeadlinePassed, Deadlines, OrderFulfilment, Reaction, react
from process_managers.runner import addressed
from schemas.base import Category, Trace
from schemas.commands import (
    AuthorisePayment,
    CapturePayment,
    InboxCommand,
    NotifyCustomer,
    PaymentCommand,
    RecordAuthorisation,
    RecordCapture,
    RecordDecline,
    RecordRefund,
    RecordVoid,
    RefundPayment,
    Sent,
    VoidPayment,
)
from schemas.events import Event
from schemas.events.order import OrderShipped, Pick
from schemas.recorded import Recorded
from tests.examples import LINES, NOON, SKU, TENANT, euros, placed, received, recorded, uuid
from tests.given import AnyCommand, aggregate_of, decided

Key = tuple[Category, str]
Action = Callable[[], None]
DEADLINES: Final = Deadlines()


@dataclass
class World:
    """The streams of one order, what is under way, and an acquirer whose card is good or not."""

    card_is_good: bool
    on_hand: int
    process: OrderFulfilment | None = None
    now: datetime = NOON
    streams: dict[Key, list[Event]] = field(default_factory=dict)
    heard: Counter[Key] = field(default_factory=Counter)
    under_way: list[Sent] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    done: set[UUID] = field(default_factory=set)
    """Messages that changed something; the log knows them for ever and takes none a second time."""
    acquirer: set[str] = field(default_factory=set)
    """What the acquirer holds of this payment."""
    reactions: list[tuple[OrderFulfilment | None, Recorded | DeadlinePassed, datetime, Reaction]] = field(
        default_factory=list
    )

    def __post_init__(self) -> None:
        for line in LINES:
            self.streams["stock", line.sku] = [received(self.on_hand, line.sku)]
        self.streams["order", ""] = [placed()]
        self.streams["payment", ""] = []

    def actions(self) -> list[Action]:
        """Give what can happen next: a stream is heard, a command arrives or arrives again, somebody does something."""
        late = [self.let_the_deadline_pass] if self.process and self.process.deadline_at else []
        again = [partial(self.carry_out, sent) for sent in self.sent[-3:]]
        people = [self.cancel, self.ship_one, self.ship_all, self.deliver, self.refund]
        return [*self.open_ends(), *again, *late, *people]

    def open_ends(self) -> Sequence[Action]:
        """Give what will happen sooner or later."""
        unheard = [key for key, events in self.streams.items() if self.heard[key] < len(events)]
        return [partial(self.hear, key) for key in unheard] + [partial(self.arrive, sent) for sent in self.under_way]

    def settle(self) -> None:
        while open_ends := self.open_ends():
            open_ends[0]()

    def hear(self, key: Key) -> None:
        self.heard[key] += 1
        version = self.heard[key]
        self._react(recorded(self.streams[key][version - 1], version))

    def let_the_deadline_pass(self) -> None:
        if self.process and self.process.deadline_at:
            self.now = max(self.now, self.process.deadline_at)
            self._react(DeadlinePassed(order_id=self.process.order_id, deadline_at=self.process.deadline_at))

    def arrive(self, sent: Sent) -> None:
        self.under_way.remove(sent)
        self.carry_out(sent)

    def carry_out(self, sent: Sent) -> None:
        command = sent.command
        if isinstance(command, PaymentCommand):
            self.under_way.append(sent.model_copy(update={"command": self._answer(command)}))
        elif not isinstance(command, NotifyCustomer) and sent.message_id not in self.done and self._decide(command):
            self.done.add(sent.message_id)

    def cancel(self) -> None:
        self._ask(CancelAnyOrder())

    def ship_one(self) -> None:
        self._ask(RecordShipment(shipment_id=uuid("one"), carrier="CTT", picks=(Pick(sku=SKU, quantity=1),)))

    def ship_all(self) -> None:
        self._ask(RecordShipment(shipment_id=uuid("all"), carrier="CTT"))

    def deliver(self) -> None:
        for event in self.streams["order", ""]:
            if isinstance(event, OrderShipped):
                self._ask(RecordDelivery(shipment_id=event.shipment_id))

    def refund(self) -> None:
        self._ask(AskRefund(refund_id=uuid("refund"), amount=euros(100), reason="goodwill"))

    def _ask(self, command: AnyCommand) -> None:
        with suppress(DomainError):
            self._decide(command)

    def _decide(self, command: AnyCommand) -> bool:
        category = aggregate_of(command).category
        stream = self.streams[category, getattr(command, "sku", "")]
        new = decided(stream, command)
        stream += new
        return bool(new)

    def _answer(self, command: PaymentCommand) -> InboxCommand:
        order_id = command.order_id
        match command:
            case AuthorisePayment(amount=amount):
                if "void" in self.acquirer or not self.card_is_good:
                    return RecordDecline(order_id=order_id, code="declined")
                self.acquirer.add("hold")
                return RecordAuthorisation(order_id=order_id, amount=amount, acquirer_reference="ref")
            case CapturePayment():
                return RecordCapture(order_id=order_id, capture_id=command.capture_id, amount=command.amount)
            case VoidPayment():
                self.acquirer |= {"void"}
                self.acquirer.discard("hold")
                return RecordVoid(order_id=order_id)
            case RefundPayment():
                return RecordRefund(order_id=order_id, refund_id=command.refund_id, amount=command.amount)

    def _react(self, message: Recorded | DeadlinePassed) -> None:
        self.now += timedelta(seconds=1)
        before = self.process
        reaction = react(before, message, now=self.now, deadlines=DEADLINES)
        self.reactions.append((before, message, self.now, reaction))
        self.process = reaction.state
        cause = message.event_id if isinstance(message, Recorded) else uuid(f"deadline {message.deadline_at}")
        trace = Trace(correlation_id=uuid("correlation"), causation_id=cause)
        new = addressed(reaction.commands, tenant_id=TENANT, trace=trace, now=self.now)
        self.sent += new
        self.under_way += new
