"""What staff ask of a product."""

from schemas.base import LongText, Message, ShortText, Sku
from schemas.money import Money


class ListProduct(Message):
    """Put on sale, for the first time or again after it was retired."""

    sku: Sku
    name: ShortText
    description: LongText | None = None
    price: Money


class RepriceProduct(Message):
    sku: Sku
    price: Money


class RetireProduct(Message):
    sku: Sku


ProductCommand = ListProduct | RepriceProduct | RetireProduct
