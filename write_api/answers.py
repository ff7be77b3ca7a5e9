"""How a command that was carried out is answered: the stored receipt, its position, and the version as ETag."""

import json
from typing import Annotated

from pydantic import Field
from starlette.responses import Response

from write_api.handler import Done
from write_api.receipts import OrderReceipt, ProductReceipt, RefundReceipt, ShipmentReceipt, StockReceipt

Position = Annotated[int, Field(ge=1)]
"""Place in the log: pass it to the query API as `min_position` to read your own write."""


class OrderAnswer(OrderReceipt):
    position: Position


class ShipmentAnswer(ShipmentReceipt):
    position: Position


class RefundAnswer(RefundReceipt):
    position: Position


class ProductAnswer(ProductReceipt):
    position: Position


class StockAnswer(StockReceipt):
    position: Position


def answer(done: Done, status: int, *, orders_url: str | None = None) -> Response:
    """Answer with the bytes that were stored, so that a replay is equal to the first answer but for one header."""
    receipt = json.loads(done.response)
    headers = {"etag": f'"{receipt["version"]}"'}
    if orders_url is not None:
        headers["location"] = f"{orders_url}/{receipt['order_id']}"
    if done.replayed:
        headers["idempotency-replayed"] = "true"
    return Response(done.response[:-1] + b',"position":%d}' % done.position, status, headers, "application/json")
