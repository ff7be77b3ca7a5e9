"""How a process is told in tests: it hears events, lets time pass, and asks for commands."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from process_managers.order_fulfilment import DeadlinePassed, Deadlines, OrderFulfilment, Reaction, react
from process_managers.process_board import waiting_for
from schemas.commands import (
    AuthorisePayment,
    CancelOrder,
    CapturePayment,
    Command,
    CompleteOrder,
    ConfirmOrder,
    DispatchStock,
    NotifyCustomer,
    RefundPayment,
    ReleaseStock,
    RequestPayment,
    ReserveStock,
    VoidPayment,
)
from schemas.events import Event
from schemas.events.order import CancelReason
from schemas.money import Money
from tests.examples import (
    LINES,
    NOON,
    ORDER_ID,
    OTHER_SKU,
    PAYMENT_ID,
    REFUND_ID,
    SHIPMENT_ID,
    SKU,
    TOKEN,
    TOTAL,
    authorised,
    confirmed,
    placed,
    recorded,
    released,
    requested,
    reserved,
)

DEADLINES = Deadlines()


@dataclass
class Story:
    """One process and the clock. `asked` holds what the newest message brought."""

    process: OrderFulfilment | None = None
    now: datetime = NOON
    asked: tuple[Command, ...] = ()
    heard: list[Event] = field(default_factory=list)

    def hears(self, *events: Event) -> Self:
        """Take events in; every one comes a second after the other."""
        for event in events:
            self.now += timedelta(seconds=1)
            self.heard.append(event)
            self._take(react(self.process, recorded(event, len(self.heard)), now=self.now, deadlines=DEADLINES))
        return self

    def lets_the_deadline_pass(self) -> Self:
        assert self.known.deadline_at
        self.now = self.known.deadline_at
        return self.is_told_late(self.known.deadline_at)

    def is_told_late(self, deadline_at: datetime) -> Self:
        passed = DeadlinePassed(order_id=ORDER_ID, deadline_at=deadline_at)
        self._take(react(self.process, passed, now=self.now, deadlines=DEADLINES))
        return self

    def asks(self, *commands: Command) -> Self:
        """Expect exactly what the newest message brought, mails left out."""
        assert tuple(command for command in self.asked if not isinstance(command, NotifyCustomer)) == commands
        return self

    @property
    def mails(self) -> list[NotifyCustomer]:
        """What the newest message had the customer told."""
        return [command for command in self.asked if isinstance(command, NotifyCustomer)]

    def is_in(self, phase: str, waiting: str = "") -> Self:
        """Expect the phase, and what the board says is waited for."""
        assert (self.known.phase, waiting_for(self.known)) == (phase, waiting)
        return self

    @property
    def event_id(self) -> UUID:
        """Of the newest event."""
        return recorded(self.heard[-1], len(self.heard)).event_id

    @property
    def known(self) -> OrderFulfilment:
        assert self.process
        return self.process

    def _take(self, reaction: Reaction) -> None:
        self.process, self.asked = reaction.state, reaction.commands


def after(*events: Event) -> Story:
    return Story().hears(*events)


RESERVE = tuple(ReserveStock(sku=line.sku, order_id=ORDER_ID, quantity=line.quantity) for line in LINES)
REQUEST = RequestPayment(order_id=ORDER_ID, amount=TOTAL, payment_token=TOKEN)
AUTHORISE = AuthorisePayment(order_id=ORDER_ID, payment_id=PAYMENT_ID, amount=TOTAL, payment_token=TOKEN)
CONFIRM = ConfirmOrder(order_id=ORDER_ID)
COMPLETE = CompleteOrder(order_id=ORDER_ID)
VOID = VoidPayment(order_id=ORDER_ID, payment_id=PAYMENT_ID)
REFUND = RefundPayment(order_id=ORDER_ID, payment_id=PAYMENT_ID, refund_id=REFUND_ID, amount=TOTAL)
RELEASE, RELEASE_OTHER = (ReleaseStock(sku=line.sku, order_id=ORDER_ID) for line in LINES)
BOTH_RESERVED = (reserved(), reserved(1, sku=OTHER_SKU))
BOTH_RELEASED = (released(), released(1, sku=OTHER_SKU))
TO_CONFIRMED = (placed(), *BOTH_RESERVED, requested(), authorised(), confirmed())


def cancel(reason: CancelReason) -> CancelOrder:
    return CancelOrder(order_id=ORDER_ID, reason=reason)


def dispatch(sku: str = SKU, quantity: int = 2, shipment_id: UUID = SHIPMENT_ID) -> DispatchStock:
    return DispatchStock(sku=sku, order_id=ORDER_ID, shipment_id=shipment_id, quantity=quantity)


def capture(amount: Money = TOTAL, shipment_id: UUID = SHIPMENT_ID) -> CapturePayment:
    return CapturePayment(order_id=ORDER_ID, payment_id=PAYMENT_ID, capture_id=shipment_id, amount=amount)
