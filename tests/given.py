"""How the rules of the domain are told: `given(facts).when(command).then(facts)` or `.refuses(refusal)`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from domain.aggregate import Aggregate
from domain.aggregates import ORDER, PAYMENT, PRODUCT, STOCK
from domain.errors import DomainError
from domain.order.commands import OrderCommand
from domain.payment.commands import PaymentCommand
from domain.product.commands import ProductCommand
from domain.stock.commands import StockCommand
from schemas.events import Event

AnyCommand = ProductCommand | StockCommand | OrderCommand | PaymentCommand


def aggregate_of(command: AnyCommand) -> Aggregate[Any, Any, Any]:
    if isinstance(command, ProductCommand):
        return PRODUCT
    if isinstance(command, StockCommand):
        return STOCK
    if isinstance(command, OrderCommand):
        return ORDER
    return PAYMENT


def decided(history: Iterable[Event], command: AnyCommand) -> list[Event]:
    """Give what the command causes after the events of one stream; raises DomainError."""
    aggregate = aggregate_of(command)
    events: list[Event] = aggregate.decide(aggregate.fold(history), command)
    return events


@dataclass(frozen=True, slots=True)
class Decision:
    history: tuple[Event, ...]
    command: AnyCommand

    def then(self, *events: Event) -> None:
        """Expect exactly these events; none means that the command changes nothing."""
        assert decided(self.history, self.command) == list(events)

    def refuses(self, refusal: DomainError) -> None:
        """Expect this refusal, with these fields."""
        with pytest.raises(type(refusal)) as raised:
            decided(self.history, self.command)
        assert vars(raised.value) == vars(refusal)


@dataclass(frozen=True, slots=True)
class Given:
    history: tuple[Event, ...]

    def when(self, command: AnyCommand) -> Decision:
        return Decision(self.history, command)


def given(*history: Event) -> Given:
    """Begin with the events of one stream, oldest first; none is a stream that does not exist yet."""
    return Given(history)
