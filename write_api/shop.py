"""What callers can ask for about products and stock, whichever way they ask."""

from domain.aggregates import PRODUCT, STOCK
from domain.product.commands import ListProduct, ProductCommand, RepriceProduct, RetireProduct
from domain.product.state import Product
from domain.stock.commands import AdjustStock, ReceiveStock, StockCommand
from domain.stock.state import Stock
from schemas.events.product import ProductEvent
from schemas.events.stock import StockEvent
from schemas.ids import product_id, stock_id
from write_api.asking import Asking
from write_api.bodies import AdjustStockBody, ListProductBody, Nothing, ReceiveStockBody, RepriceProductBody
from write_api.handler import Done, Handler, Target
from write_api.receipts import ProductReceipt, StockReceipt


class Shop:
    """Raises what the handler raises."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def list_product(self, body: ListProductBody, by: Asking) -> Done:
        command = ListProduct(sku=body.sku, name=body.name, description=body.description, price=body.price)
        return await self._handler.handle(_product(by, body.sku), command, by.by(body))

    async def reprice(self, sku: str, body: RepriceProductBody, by: Asking) -> Done:
        return await self._handler.handle(_product(by, sku), RepriceProduct(sku=sku, price=body.price), by.by(body))

    async def retire(self, sku: str, body: Nothing, by: Asking) -> Done:
        return await self._handler.handle(_product(by, sku), RetireProduct(sku=sku), by.by(body))

    async def receive(self, sku: str, body: ReceiveStockBody, by: Asking) -> Done:
        command = ReceiveStock(sku=sku, quantity=body.quantity, reference=body.reference)
        return await self._handler.handle(_stock(by, sku), command, by.by(body))

    async def adjust(self, sku: str, body: AdjustStockBody, by: Asking) -> Done:
        command = AdjustStock(sku=sku, delta=body.delta, reason=body.reason)
        return await self._handler.handle(_stock(by, sku), command, by.by(body))


def _product(by: Asking, sku: str) -> Target[Product, ProductCommand, ProductEvent]:
    def receipt(product: Product, version: int) -> ProductReceipt:
        return ProductReceipt(version=version, sku=sku, on_sale=product.on_sale, price=product.price)

    return Target(PRODUCT, product_id(by.caller.tenant_id, sku), receipt)


def _stock(by: Asking, sku: str) -> Target[Stock, StockCommand, StockEvent]:
    def receipt(stock: Stock, version: int) -> StockReceipt:
        return StockReceipt(
            version=version, sku=sku, on_hand=stock.on_hand, reserved=stock.reserved, available=stock.available
        )

    return Target(STOCK, stock_id(by.caller.tenant_id, sku), receipt)
