"""What customers, staff and the fulfilment of orders ask of an order."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from schemas.base import Identifier, Locale, Message, Quantity, ShortText, Sku, Version
from schemas.commands import CancelOrder, CompleteOrder, ConfirmOrder
from schemas.events.order import PaymentToken, Picks
from schemas.money import Money
from schemas.personal import Sealed


class QuotedLine(Message):
    """One line of an order, with the price and product version that the catalogue gave just now."""

    sku: Sku
    name: ShortText
    quantity: Quantity
    unit_price: Money
    product_version: Version


class PlaceOrder(Message):
    customer_id: UUID
    contact: Sealed
    locale: Locale
    lines: Annotated[tuple[QuotedLine, ...], Field(min_length=1, max_length=200)]
    payment_token: PaymentToken


class CancelOwnOrder(Message):
    """A customer's wish. Unlike `CancelOrder`, which is the process's, it is refused when it comes too late."""

    customer_id: UUID


class CancelAnyOrder(Message):
    """The wish of staff, for themselves or for a customer; refused when it comes too late."""

    reason: Literal["customer_request", "staff_decision"] = "staff_decision"


class RecordShipment(Message):
    shipment_id: UUID
    carrier: ShortText
    tracking: Identifier | None = None
    picks: Picks | None = None
    """None: all that is left."""


class RecordDelivery(Message):
    shipment_id: UUID


class EraseContact(Message):
    """The wish of a customer to be forgotten, or of the law."""


OrderCommand = (
    PlaceOrder
    | CancelOwnOrder
    | CancelAnyOrder
    | RecordShipment
    | RecordDelivery
    | EraseContact
    | ConfirmOrder
    | CancelOrder
    | CompleteOrder
)
