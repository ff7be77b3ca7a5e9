"""What a caller is told about a command that was carried out. Stored with the events, so nothing personal is in it."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from schemas.base import Message, Sku, Version
from schemas.money import Money

Status = Literal["placed", "confirmed", "partly_shipped", "shipped", "delivered", "completed", "cancelled"]
Count = Annotated[int, Field(ge=0)]


class Receipt(Message):
    version: Version
    """Of the stream after the command; the same as the ETag."""


class OrderReceipt(Receipt):
    order_id: UUID
    status: Status
    total: Money


class ShipmentReceipt(OrderReceipt):
    shipment_id: UUID


class RefundReceipt(Receipt):
    order_id: UUID
    refund_id: UUID
    status: Literal["requested"] = "requested"
    amount: Money


class ProductReceipt(Receipt):
    sku: Sku
    on_sale: bool
    price: Money


class StockReceipt(Receipt):
    sku: Sku
    on_hand: Count
    reserved: Count
    available: Count
