"""The platform with every wire replaced by a list: the real domain and process, on a bus and a feed without mercy.

A message may be delivered in any order, again, long after it was handled, and with a crash after its effect.
An event may be told again, or after a later one of its stream; the guard of `infra.subscription` is modelled here.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from domain.aggregate import Aggregate
from domain.errors import DomainError
from domain.order.state import Order
from domain.payment.state import Payment
from domain.stock.state import Stock
from process_managers.order_fulfilment import DeadlinePassed, Deadlines, OrderFulfilment, order_of, react
from process_managers.runner import addressed
from schemas.base import Trace
from schemas.commands import NotifyCustomer, PaymentCommand, Sent
from schemas.events import Event
from schemas.ids import payment_id, stock_id
from schemas.recorded import GENESIS, Recorded
from tests.examples import TENANT, uuid
from tests.given import AnyCommand
from tests.system.books import Books
from tests.system.wires import addressee, caused_by, reply_of

_DEADLINES: Final = Deadlines()


@dataclass
class World:
    log: list[Recorded] = field(default_factory=list)
    streams: dict[UUID, list[Recorded]] = field(default_factory=dict)
    states: dict[UUID, Any] = field(default_factory=dict)
    once: set[UUID] = field(default_factory=set)
    """Ids of the messages that caused events; written together with them."""
    refused: list[tuple[Sent, DomainError]] = field(default_factory=list)
    """Would be retried and then parked."""
    processes: dict[UUID, OrderFulfilment] = field(default_factory=dict)
    seen: Counter[UUID] = field(default_factory=Counter)
    """The version of each stream that the process has applied."""
    deadlines: list[DeadlinePassed] = field(default_factory=list)
    """Every one that was ever set."""
    overdue: set[UUID] = field(default_factory=set)
    """Orders for which a deadline passed while it was in force."""
    wire: dict[UUID, Sent] = field(default_factory=dict)
    """The outbox: sent, and not yet known to be handled."""
    delivered: list[Sent] = field(default_factory=list)
    handled: set[UUID] = field(default_factory=set)
    """What the workers remember."""
    books: Books = field(default_factory=Books)
    mails: list[NotifyCustomer] = field(default_factory=list)
    """Without those after which the worker crashed: they come again under the same Message-ID."""
    ticks: int = 0

    def now(self) -> datetime:
        self.ticks += 1
        return datetime(2026, 3, 2, 12, tzinfo=UTC) + timedelta(seconds=self.ticks)

    # The write side

    def ask(self, aggregate: Aggregate[Any, Any, Any], stream_id: UUID, command: AnyCommand) -> list[Event]:
        """Carry out what a person asks; raises DomainError."""
        self.ticks += 1
        trace = Trace(correlation_id=uuid(f"request {self.ticks}"), causation_id=uuid(f"request {self.ticks}"))
        events: list[Event] = aggregate.decide(self.states.get(stream_id), command)
        self._append(aggregate, stream_id, events, trace, "user:somebody")
        return events

    def _append(
        self, aggregate: Aggregate[Any, Any, Any], stream_id: UUID, events: list[Event], trace: Trace, actor: str
    ) -> None:
        stream = self.streams.setdefault(stream_id, [])
        for event in events:
            recorded = Recorded(
                event_id=uuid5(stream_id, str(len(stream) + 1)),
                stream_id=stream_id,
                category=aggregate.category,
                version=len(stream) + 1,
                occurred_at=self.now(),
                tenant_id=TENANT,
                actor=actor,
                trace=trace,
                prev=GENESIS,
                event=event,
            )
            stream.append(recorded)
            self.log.append(recorded)
            self.states[stream_id] = aggregate.evolve(self.states.get(stream_id), event)

    def _inbox(self, sent: Sent) -> None:
        """Decide; a message that caused events before causes none again, whatever is decided now."""
        aggregate, stream_id = addressee(sent.command)
        try:
            events: list[Event] = aggregate.decide(self.states.get(stream_id), sent.command)
        except DomainError as refusal:
            if sent.message_id not in self.once:
                self.refused.append((sent, refusal))
            return
        if events and sent.message_id not in self.once:
            self.once.add(sent.message_id)
            self._append(aggregate, stream_id, events, caused_by(sent), sent.actor)

    # The bus and the workers

    def send(self, messages: list[Sent]) -> None:
        for sent in messages:
            self.wire.setdefault(sent.message_id, sent)

    def deliver(self, sent: Sent, *, crash: bool = False) -> None:
        """Handle a message; a crash comes after the effect on the world and before it is remembered."""
        if isinstance(sent.command, PaymentCommand | NotifyCustomer):
            self._work(sent, sent.command, crash=crash)
        else:
            self._inbox(sent)
        if not crash and sent.message_id in self.wire:
            del self.wire[sent.message_id]
            self.delivered.append(sent)

    def _work(self, sent: Sent, command: PaymentCommand | NotifyCustomer, *, crash: bool) -> None:
        if sent.message_id in self.handled:
            return
        replies = [] if isinstance(command, NotifyCustomer) else [reply_of(sent, self.books.call(command))]
        if crash:
            return
        self.handled.add(sent.message_id)
        self.send(replies)
        if isinstance(command, NotifyCustomer):
            self.mails.append(command)

    # The process

    def untold(self) -> list[UUID]:
        """Name the streams of which the process has not seen everything."""
        return [stream_id for stream_id, stream in self.streams.items() if self.seen[stream_id] < len(stream)]

    def tell(self, recorded: Recorded) -> None:
        """Tell the process of an event: what it has seen is skipped, what it has missed is read from the log."""
        for missed in self.streams[recorded.stream_id][self.seen[recorded.stream_id] : recorded.version]:
            self.seen[missed.stream_id] = missed.version
            order_id = order_of(missed)
            if order_id is not None:
                self._react(order_id, missed, missed.trace.model_copy(update={"causation_id": missed.event_id}))

    def rebuild_processes(self) -> None:
        """Lose what is derived from the log and read it again in its order; everything is asked for once more."""
        self.processes.clear()
        self.seen.clear()
        for recorded in self.log:
            self.tell(recorded)

    def waiting(self) -> list[UUID]:
        return [order_id for order_id, process in self.processes.items() if process.deadline_at]

    def fire(self, order_id: UUID) -> None:
        """Tell a process that its time is over, however little has passed."""
        deadline_at = self.processes[order_id].deadline_at
        assert deadline_at is not None
        self.tell_deadline(DeadlinePassed(order_id=order_id, deadline_at=deadline_at))

    def tell_deadline(self, passed: DeadlinePassed) -> None:
        if self.processes[passed.order_id].deadline_at == passed.deadline_at:
            self.overdue.add(passed.order_id)
        cause = uuid5(passed.order_id, f"deadline/{passed.deadline_at.isoformat()}")
        self._react(passed.order_id, passed, Trace(correlation_id=passed.order_id, causation_id=cause))

    def _react(self, order_id: UUID, message: Recorded | DeadlinePassed, trace: Trace) -> None:
        now = self.now()
        reaction = react(self.processes.get(order_id), message, now=now, deadlines=_DEADLINES)
        if reaction.state is not None:
            self.processes[order_id] = reaction.state
            if reaction.deadline is not None:
                self.deadlines.append(DeadlinePassed(order_id=order_id, deadline_at=reaction.deadline))
        self.send(addressed(reaction.commands, tenant_id=TENANT, trace=trace, now=now))

    # What is known of one order or SKU

    def order(self, order_id: UUID) -> Order:
        order = self.states[order_id]
        assert isinstance(order, Order)
        return order

    def payment(self, order_id: UUID) -> Payment | None:
        payment = self.states.get(payment_id(order_id))
        assert payment is None or isinstance(payment, Payment)
        return payment

    def stock(self, sku: str) -> Stock:
        stock = self.states.get(stock_id(TENANT, sku), Stock())
        assert isinstance(stock, Stock)
        return stock
