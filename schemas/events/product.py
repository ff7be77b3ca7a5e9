"""Facts about what is for sale."""

from typing import Literal

from schemas.base import LongText, Message, ShortText, Sku
from schemas.money import Money


class ProductListed(Message):
    """For sale at this price, for the first time or again."""

    type: Literal["product.listed.v1"] = "product.listed.v1"
    sku: Sku
    name: ShortText
    description: LongText | None = None
    price: Money


class ProductRepriced(Message):
    """The price for orders placed from now on; placed orders keep the price that they recorded."""

    type: Literal["product.repriced.v1"] = "product.repriced.v1"
    sku: Sku
    price: Money


class ProductRetired(Message):
    """No longer for sale. A retired product can be listed again."""

    type: Literal["product.retired.v1"] = "product.retired.v1"
    sku: Sku


ProductEvent = ProductListed | ProductRepriced | ProductRetired
