"""What a product's past decides about its future."""

from dataclasses import dataclass, replace
from typing import assert_never

from domain.aggregate import known
from schemas.events.product import ProductEvent, ProductListed, ProductRepriced, ProductRetired
from schemas.money import Money


@dataclass(frozen=True, slots=True)
class Product:
    sku: str
    name: str
    description: str | None
    price: Money
    on_sale: bool = True


def evolve(product: Product | None, event: ProductEvent) -> Product:
    match event:
        case ProductListed(sku=sku, name=name, description=description, price=price):
            return Product(sku, name, description, price)
        case ProductRepriced(price=price):
            return replace(known(product), price=price)
        case ProductRetired():
            return replace(known(product), on_sale=False)
    assert_never(event)
