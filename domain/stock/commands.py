"""What staff and the fulfilment of orders ask of the stock of one SKU."""

from typing import Annotated

from pydantic import Field

from schemas.base import MAX_QUANTITY, Identifier, Message, Quantity, Sku
from schemas.commands import DispatchStock, ReleaseStock, ReserveStock
from schemas.events.stock import AdjustmentReason


class ReceiveStock(Message):
    sku: Sku
    quantity: Quantity
    reference: Identifier | None = None
    """Delivery note or purchase order."""


class AdjustStock(Message):
    """Correct what is on hand, up or down. A delta of 0 is no event."""

    sku: Sku
    delta: Annotated[int, Field(ge=-MAX_QUANTITY, le=MAX_QUANTITY)]
    reason: AdjustmentReason


StockCommand = ReceiveStock | AdjustStock | ReserveStock | ReleaseStock | DispatchStock
