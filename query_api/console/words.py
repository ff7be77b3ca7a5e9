"""How figures and facts are said to people, in English."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from babel.numbers import format_currency, format_decimal

from schemas.events.payment import DeclineKind
from schemas.money import minor_digits
from schemas.views import MinuteCount, OrderDetail, OrderStatus, TimelineEntry

WIDTH: Final = 300
HEIGHT: Final = 60
STEPS: Final[tuple[OrderStatus, ...]] = ("placed", "confirmed", "shipped", "delivered", "completed")
_LOCALE: Final = "en"
_WORDS: Final = {"none": "No payment yet", "partly_shipped": "Partly shipped", "partly_captured": "Partly captured"}
_REASONS: Final = {
    "customer_request": "the customer asked for it",
    "staff_decision": "staff decided so",
    "out_of_stock": "not enough in stock",
    "payment_declined": "the payment was declined",
    "stock_deadline": "stock was not set aside in time",
    "payment_deadline": "the payment was not authorised in time",
    "shipment_deadline": "it was not shipped in time",
}
_REMEDIES: Final[Mapping[DeclineKind, str]] = {
    "funds": "Another card may do, or a smaller sum",
    "card": "Another card may do",
    "fraud": "Only the bank can say why",
    "unavailable": "It may do later",
    "other": "The acquirer does not say what would help",
}
_HAPPENED: Final = {
    "order.placed.v2": "Order placed",
    "order.confirmed.v1": "Order confirmed",
    "order.cancelled.v1": "Order cancelled",
    "order.shipped.v1": "Shipped",
    "order.delivered.v1": "Delivered",
    "order.completed.v1": "Order completed",
    "order.contact_erased.v1": "Customer erased",
    "stock.reserved.v1": "Stock set aside",
    "stock.short.v1": "Not enough in stock",
    "stock.released.v1": "Stock released",
    "stock.dispatched.v1": "Left the shelf",
    "payment.requested.v1": "Payment requested",
    "payment.authorised.v1": "Payment authorised",
    "payment.declined.v2": "Payment declined",
    "payment.captured.v1": "Payment captured",
    "payment.capture_refused.v1": "Capture refused",
    "payment.voided.v1": "Payment released",
    "payment.refund_requested.v1": "Refund requested",
    "payment.refunded.v1": "Refunded",
    "payment.refund_refused.v1": "Refund refused",
}


def money(amount: int, currency: str) -> str:
    """Write an amount of minor units, such as €12.50."""
    digits = minor_digits(currency)
    pattern = f"¤#,##0.{'0' * digits}".removesuffix(".")
    major = Decimal(amount).scaleb(-digits)
    return str(format_currency(major, currency, pattern, locale=_LOCALE, currency_digits=False))


def number(count: int) -> str:
    return str(format_decimal(count, locale=_LOCALE))


def status(name: str) -> str:
    return _WORDS.get(name) or name.replace("_", " ").capitalize()


def reason(code: str) -> str:
    return _REASONS.get(code) or code.replace("_", " ")


def remedy(kind: DeclineKind) -> str:
    return _REMEDIES[kind]


def happened(entry: TimelineEntry) -> str:
    return _HAPPENED.get(entry.kind) or entry.kind


def facts(entry: TimelineEntry) -> str:
    """Say what a person wants to know about an event, in a few words."""
    told = entry.facts
    said = []
    worth = told.get("total" if entry.kind == "order.placed.v2" else "amount")
    if isinstance(worth, dict):
        said.append(money(worth["amount"], worth["currency"]))
    if "sku" in told:
        said.append(
            f"{told['quantity']} \N{MULTIPLICATION SIGN} {told['sku']}" if "quantity" in told else str(told["sku"])
        )
    if "carrier" in told:
        said.append(" ".join(filter(None, (str(told["carrier"]), told.get("tracking")))))
    said += [reason(str(told[name])) for name in ("reason", "code") if name in told]
    return " · ".join(said)


def points(minutes: Sequence[MinuteCount]) -> str:
    """Give the points of a line through the counts, left to right, in a box of `WIDTH` by `HEIGHT`."""
    most = max((minute.orders for minute in minutes), default=0) or 1
    step = WIDTH / max(len(minutes) - 1, 1)
    heights = (HEIGHT - 2 - (HEIGHT - 4) * minute.orders / most for minute in minutes)
    return " ".join(f"{index * step:.1f},{height:.1f}" for index, height in enumerate(heights))


def steps(order: OrderDetail) -> list[tuple[str, str]]:
    """Give the way of an order as (status, `done`, `now` or `ahead`); a cancelled one ends where it was cancelled."""
    if order.status == "cancelled":
        begun: list[tuple[str, str]] = [("placed", "done")]
        return [*begun, *([("confirmed", "done")] if order.confirmed_at else []), ("cancelled", "now")]
    current = STEPS.index("shipped" if order.status == "partly_shipped" else order.status)
    said: list[tuple[str, str]] = [(name, "done" if index < current else "ahead") for index, name in enumerate(STEPS)]
    said[current] = (order.status, "now")
    return said


WORDS: Final[dict[str, Any]] = {
    "money": money,
    "number": number,
    "said_status": status,
    "said_reason": reason,
    "said_remedy": remedy,
    "happened": happened,
    "facts": facts,
    "points": points,
    "steps": steps,
    "width": WIDTH,
    "height": HEIGHT,
}
