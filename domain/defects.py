"""Refusals that no right caller ever meets; a process or worker that meets one is wrong and must be looked at."""

from dataclasses import dataclass

from domain.errors import DomainError
from schemas.money import Money


@dataclass(eq=False)
class Defect(DomainError):
    """Raised for messages between our own parts. Nothing has changed."""


@dataclass(eq=False)
class StockNotReserved(Defect):
    """What an order ships, it has reserved."""

    code = "stock-not-reserved"
    title = "More than the order has reserved"
    sentence = "{asked} of {sku} were to be dispatched, but the order holds {held}."
    sku: str
    asked: int
    held: int


@dataclass(eq=False)
class OrderNotDelivered(Defect):
    """The process completes an order after its last delivery."""

    code = "order-not-delivered"
    title = "The order is not delivered in full"
    sentence = "The order is {status}, so it cannot be completed."
    status: str


@dataclass(eq=False)
class RefundNotFound(Defect):
    """The acquirer answers a refund that nobody asked for."""

    code = "refund-not-found"
    title = "No such refund"
    sentence = "The payment has no such refund."


@dataclass(eq=False)
class AmountMismatch(Defect):
    """The acquirer reports another amount than it was asked for."""

    code = "amount-mismatch"
    title = "The amount does not match"
    sentence = "The acquirer reports {reported}; {asked} was asked for."
    asked: str
    reported: str


@dataclass(eq=False)
class CaptureExceedsAuthorised(Defect):
    """Shipments add up to the order, and the order is what was authorised."""

    code = "capture-exceeds-authorised"
    title = "More than was authorised"
    sentence = "{asked} was captured, but {left} minor units are left of what was authorised."
    asked: int
    left: int


@dataclass(eq=False)
class OutcomeContradicted(Defect):
    """Under one idempotency key the acquirer gives one answer for ever."""

    code = "outcome-contradicted"
    title = "The acquirer contradicts itself"
    sentence = "The payment is {recorded}, so it cannot become {reported}."
    recorded: str
    reported: str


def same(asked: Money, reported: Money) -> None:
    """Raise AmountMismatch unless both are the same amount of the same currency."""
    if asked != reported:
        raise AmountMismatch(f"{asked.amount} {asked.currency}", f"{reported.amount} {reported.currency}")
