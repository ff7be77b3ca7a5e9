"""What callers send. Only what they may decide: no price, no status, no tenant, no id of their own."""

from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from schemas.base import MAX_QUANTITY, Identifier, Locale, LongText, Message, Quantity, ShortText, Sku
from schemas.events.order import Contact, PaymentToken, Pick
from schemas.events.payment import RefundReason
from schemas.events.stock import AdjustmentReason
from schemas.money import Money

Picked = Annotated[tuple[Pick, ...], Field(min_length=1, max_length=200, strict=False)]
"""Not strict about the container alone: JSON has no tuples."""

_PRICE: Final = {"amount": 1250, "currency": "EUR"}


def _example(body: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [body]})


class Nothing(Message):
    """No member is known here; the body may be left out."""


NOTHING: Final = Nothing()


class ListProductBody(Message):
    model_config = _example({"sku": "COFFEE", "name": "Coffee, 250 g", "price": _PRICE})

    sku: Sku
    name: ShortText
    description: LongText | None = None
    price: Money


class RepriceProductBody(Message):
    model_config = _example({"price": _PRICE})

    price: Money


class ReceiveStockBody(Message):
    model_config = _example({"quantity": 100, "reference": "PO-4711"})

    quantity: Quantity
    reference: Identifier | None = None
    """Delivery note or purchase order."""


class AdjustStockBody(Message):
    model_config = _example({"delta": -2, "reason": "damage"})

    delta: Annotated[int, Field(ge=-MAX_QUANTITY, le=MAX_QUANTITY)]
    reason: AdjustmentReason


class PlaceOrderBody(Message):
    model_config = _example(
        {
            "contact": {"name": "Ana Lucia", "email": "ana@example.org", "address": "Rua do Sol 1, Lisboa"},
            "lines": [{"sku": "COFFEE", "quantity": 2}],
            "payment_token": "tok_visa",
        }
    )

    contact: Contact
    locale: Locale = "en"
    """Language of the mail."""
    lines: Picked
    """One line per SKU."""
    payment_token: PaymentToken


class CancelOrderBody(Message):
    model_config = _example({"reason": "customer_request"})

    reason: Literal["customer_request", "staff_decision"] | None = None
    """Only staff may give another reason than `customer_request`."""


NO_REASON: Final = CancelOrderBody()


class RecordShipmentBody(Message):
    model_config = _example({"carrier": "CTT", "tracking": "RR123456785PT"})

    carrier: ShortText
    tracking: Identifier | None = None
    lines: Picked | None = None
    """Without it, all that is left of the order."""


class AskRefundBody(Message):
    model_config = _example({"amount": _PRICE, "reason": "damaged"})

    amount: Money
    reason: RefundReason
