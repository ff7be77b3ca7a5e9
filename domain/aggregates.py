"""The four aggregates, each as one value that a generic handler can work with."""

from collections.abc import Mapping
from typing import Any, Final

from domain.aggregate import Aggregate
from domain.order.decide import decide as decide_order
from domain.order.state import evolve as evolve_order
from domain.payment.decide import decide as decide_payment
from domain.payment.state import evolve as evolve_payment
from domain.product.decide import decide as decide_product
from domain.product.state import evolve as evolve_product
from domain.stock.decide import decide as decide_stock
from domain.stock.state import evolve as evolve_stock
from schemas.base import Category

PRODUCT: Final = Aggregate("product", evolve_product, decide_product)
STOCK: Final = Aggregate("stock", evolve_stock, decide_stock)
ORDER: Final = Aggregate("order", evolve_order, decide_order)
PAYMENT: Final = Aggregate("payment", evolve_payment, decide_payment)
AGGREGATES: Final[Mapping[Category, Aggregate[Any, Any, Any]]] = {
    each.category: each for each in (PRODUCT, STOCK, ORDER, PAYMENT)
}
