"""Facts about what is on the shelf, per SKU. Available = on hand - reserved, and never below zero."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from schemas.base import MAX_QUANTITY, Identifier, Message, Quantity, Sku

AdjustmentReason = Literal["count", "damage", "loss", "found", "returned"]


class StockReceived(Message):
    """Goods have come in."""

    type: Literal["stock.received.v1"] = "stock.received.v1"
    sku: Sku
    quantity: Quantity
    reference: Identifier | None = None
    """Delivery note or purchase order."""


class StockAdjusted(Message):
    """What is on the shelf was corrected."""

    type: Literal["stock.adjusted.v1"] = "stock.adjusted.v1"
    sku: Sku
    delta: Annotated[int, Field(ge=-MAX_QUANTITY, le=MAX_QUANTITY)]
    """What has come; negative for what has gone."""
    reason: AdjustmentReason


class StockReserved(Message):
    """Set aside for an order."""

    type: Literal["stock.reserved.v1"] = "stock.reserved.v1"
    sku: Sku
    order_id: UUID
    quantity: Quantity


class StockShort(Message):
    """A reservation was refused, and nothing was set aside.

    Fewer than `quantity` were available, or the order had been released before it reserved.
    """

    type: Literal["stock.short.v1"] = "stock.short.v1"
    sku: Sku
    order_id: UUID
    quantity: Quantity
    available: Annotated[int, Field(ge=0)]


class StockReleased(Message):
    """The order no longer holds anything of this SKU.

    `quantity` is what it held: 0 when it was short, or when nothing was reserved yet; then the order is remembered and
    a reservation that arrives later is refused.
    """

    type: Literal["stock.released.v1"] = "stock.released.v1"
    sku: Sku
    order_id: UUID
    quantity: Annotated[int, Field(ge=0, le=MAX_QUANTITY)]


class StockDispatched(Message):
    """Left the shelf for a shipment; taken from what the order had reserved."""

    type: Literal["stock.dispatched.v1"] = "stock.dispatched.v1"
    sku: Sku
    order_id: UUID
    shipment_id: UUID
    quantity: Quantity


StockEvent = StockReceived | StockAdjusted | StockReserved | StockShort | StockReleased | StockDispatched
