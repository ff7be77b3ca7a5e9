"""What callers send. Only what they may decide: no price, no status, no tenant, no id of their own."""

from typing import Annotated, Final, Literal

from pydantic import Field

from schemas.base import MAX_QUANTITY, Identifier, Locale, LongText, Message, Quantity, ShortText, Sku
from schemas.events.order import Contact, PaymentToken, Pick
from schemas.events.payment import RefundReason
from schemas.events.stock import AdjustmentReason
from schemas.money import Money

Picked = Annotated[tuple[Pick, ...], Field(min_length=1, max_length=200, strict=False)]
"""Not strict about the container alone: JSON has no tuples."""


class Nothing(Message):
    """No member is known here; the body may be left out."""


NOTHING: Final = Nothing()


class ListProductBody(Message):
    sku: Sku
    name: ShortText
    description: LongText | None = None
    price: Money


class RepriceProductBody(Message):
    price: Money


class ReceiveStockBody(Message):
    quantity: Quantity
    reference: Identifier | None = None
    """Delivery note or purchase order."""


class AdjustStockBody(Message):
    delta: Annotated[int, Field(ge=-MAX_QUANTITY, le=MAX_QUANTITY)]
    reason: AdjustmentReason


class PlaceOrderBody(Message):
    contact: Contact
    locale: Locale = "en"
    """Language of the mail."""
    lines: Picked
    """One line per SKU."""
    payment_token: PaymentToken


class CancelOrderBody(Message):
    reason: Literal["customer_request", "staff_decision"] | None = None
    """Only staff may give another reason than `customer_request`."""


NO_REASON: Final = CancelOrderBody()


class RecordShipmentBody(Message):
    carrier: ShortText
    tracking: Identifier | None = None
    lines: Picked | None = None
    """Without it, all that is left of the order."""


class AskRefundBody(Message):
    amount: Money
    reason: RefundReason
