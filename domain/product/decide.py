"""What may happen to a product."""

from typing import assert_never

from domain.errors import CurrencyMismatch, ProductAlreadyListed, ProductNotFound, ProductOffSale
from domain.product.commands import ListProduct, ProductCommand, RepriceProduct, RetireProduct
from domain.product.state import Product
from schemas.events.product import ProductEvent, ProductListed, ProductRepriced, ProductRetired


def decide(product: Product | None, command: ProductCommand) -> list[ProductEvent]:
    match command:
        case ListProduct():
            return _list(product, command)
        case RepriceProduct():
            return _reprice(product, command)
        case RetireProduct(sku=sku):
            return [ProductRetired(sku=sku)] if _listed(product, sku).on_sale else []
    assert_never(command)


def _list(product: Product | None, command: ListProduct) -> list[ProductEvent]:
    if product is None or not product.on_sale:
        return [ProductListed(sku=command.sku, name=command.name, description=command.description, price=command.price)]
    if (product.name, product.description, product.price) == (command.name, command.description, command.price):
        return []
    raise ProductAlreadyListed(command.sku)


def _reprice(product: Product | None, command: RepriceProduct) -> list[ProductEvent]:
    current = on_sale(product, command.sku).price
    if command.price.currency != current.currency:
        raise CurrencyMismatch(expected=current.currency, given=command.price.currency)
    return [] if command.price == current else [ProductRepriced(sku=command.sku, price=command.price)]


def on_sale(product: Product | None, sku: str) -> Product:
    """Give the product if it can be bought now; raises ProductNotFound or ProductOffSale."""
    listed = _listed(product, sku)
    if not listed.on_sale:
        raise ProductOffSale(sku)
    return listed


def _listed(product: Product | None, sku: str) -> Product:
    if product is None:
        raise ProductNotFound(sku)
    return product
