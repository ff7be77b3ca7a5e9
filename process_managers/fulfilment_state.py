"""What the fulfilment of one order knows, and what it waits for: every answer here follows from the facts alone."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal, assert_never
from uuid import UUID

from pydantic import TypeAdapter

from schemas.money import Money

Phase = Literal[
    "reserving",
    "paying",
    "confirming",
    "awaiting_shipment",
    "shipping",
    "capturing",
    "delivering",
    "completing",
    "cancelling",
    "refunding",
    "attention",
    "completed",
    "cancelled",
]
Wait = Literal[
    "stock",
    "payment",
    "confirmation",
    "shipment",
    "capture",
    "delivery",
    "completion",
    "cancellation",
    "compensation",
    "refund",
]
"""What has to happen next. Of several open ends the most urgent is the wait, and only it has a deadline."""

Stock = Literal["asked", "reserved", "short", "releasing", "released"]
Payment = Literal["none", "asked", "requested", "authorising", "authorised", "voiding", "declined", "voided"]

_PHASES: Final[dict[Wait, Phase]] = {
    "stock": "reserving",
    "payment": "paying",
    "confirmation": "confirming",
    "shipment": "awaiting_shipment",
    "capture": "capturing",
    "delivery": "delivering",
    "completion": "completing",
    "cancellation": "cancelling",
    "compensation": "cancelling",
    "refund": "refunding",
}


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long each wait may last before the order is cancelled or, where that is too late, a person has to look."""

    stock: timedelta = timedelta(seconds=30)
    payment: timedelta = timedelta(minutes=2)
    shipment: timedelta = timedelta(days=7)
    delivery: timedelta = timedelta(days=30)
    capture: timedelta = timedelta(minutes=5)
    compensation: timedelta = timedelta(minutes=5)

    def of(self, wait: Wait) -> timedelta:
        """Give the longest time that `wait` may take."""
        match wait:
            case "stock":
                return self.stock
            case "payment":
                return self.payment
            case "shipment":
                return self.shipment
            case "delivery":
                return self.delivery
            case "capture" | "refund":
                return self.capture
            case "confirmation" | "completion" | "cancellation" | "compensation":
                return self.compensation
        assert_never(wait)


@dataclass(frozen=True, slots=True)
class Line:
    """What is known of the stock of one order line; `releasing` once it was asked back."""

    sku: str
    quantity: int
    stock: Stock = "asked"


@dataclass(frozen=True, slots=True)
class OrderFulfilment:
    """The process of one order. What was asked for is remembered, so that nothing is asked for twice."""

    order_id: UUID
    correlation_id: UUID
    payment_token: str
    total: Money
    lines: tuple[Line, ...]
    order: Literal["placed", "confirmed", "cancelled", "completed"] = "placed"
    asked: tuple[Literal["confirm", "cancel", "complete"], ...] = ()
    """The commands to the order that have been sent."""
    payment: Payment = "none"
    shipments: tuple[UUID, ...] = ()
    all_shipped: bool = False
    all_delivered: bool = False
    captured: tuple[UUID, ...] = ()
    refused: tuple[UUID, ...] = ()
    """Captures that the acquirer refused."""
    refunds: tuple[UUID, ...] = ()
    """Refunds that are asked for and not answered."""
    waits_for: Wait | None = None
    deadline_at: datetime | None = None
    overdue: bool = False
    """The deadline of the present wait has passed, and only a person or a late event can help."""

    def with_stock(self, sku: str, stock: Stock, *, unless: tuple[Stock, ...] = ()) -> "OrderFulfilment":
        """Note what became of the stock of one line, unless its present state says more."""
        changed = (line.sku == sku and line.stock not in unless for line in self.lines)
        lines = (replace(line, stock=stock) if new else line for line, new in zip(self.lines, changed, strict=True))
        return replace(self, lines=tuple(lines))

    @property
    def uncaptured(self) -> tuple[UUID, ...]:
        """Shipments whose money has not come."""
        return tuple(shipment_id for shipment_id in self.shipments if shipment_id not in self.captured)

    @property
    def releasing(self) -> int:
        """How many lines were asked back and not yet released."""
        return sum(line.stock == "releasing" for line in self.lines)

    @property
    def ended(self) -> bool:
        """Nothing is waited for; only a refund can begin something again."""
        return self.waits_for is None

    @property
    def phase(self) -> Phase:
        """Where the order is, as the process board shows it."""
        if self.overdue or any(capture_id in self.refused for capture_id in self.uncaptured):
            return "attention"
        if self.waits_for is None:
            return "cancelled" if self.order == "cancelled" else "completed"
        if self.waits_for == "shipment" and self.shipments:
            return "shipping"
        return _PHASES[self.waits_for]

    def next_wait(self) -> Wait | None:
        """Name what the facts leave open; None when that is nothing."""
        if self.order == "cancelled":
            return "compensation" if self.payment == "voiding" or self.releasing else None
        return self._after_shipping() if self.shipments else self._before_shipping()

    def _before_shipping(self) -> Wait:
        if "cancel" in self.asked:
            return "cancellation"
        if self.order == "confirmed":
            return "shipment"
        if "confirm" in self.asked:
            return "confirmation"
        return "stock" if self.payment == "none" else "payment"

    def _after_shipping(self) -> Wait | None:
        if self.uncaptured:
            return "capture"
        if self.refunds:
            return "refund"
        if self.order == "completed":
            return None
        if not self.all_shipped:
            return "shipment"
        return "completion" if self.all_delivered else "delivery"

    def awaiting(self, now: datetime, deadlines: Deadlines) -> "OrderFulfilment":
        """Set the wait. Its deadline counts from when the wait began, so it changes only together with the wait."""
        wait = self.next_wait()
        if wait == self.waits_for:
            return self
        deadline_at = now + deadlines.of(wait) if wait else None
        return replace(self, waits_for=wait, deadline_at=deadline_at, overdue=False)


_STATE: Final = TypeAdapter(OrderFulfilment)


def encode(process: OrderFulfilment) -> bytes:
    """Give the JSON that is stored in `processes.state`."""
    return _STATE.dump_json(process)


def decode(state: bytes) -> OrderFulfilment:
    """Read a stored state; raises pydantic.ValidationError when it is none."""
    return _STATE.validate_json(state)
