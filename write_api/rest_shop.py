"""The shop over HTTP: what is for sale, at what price, and how much of it is on the shelf."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from domain.aggregates import PRODUCT, STOCK
from domain.product.commands import ListProduct, ProductCommand, RepriceProduct, RetireProduct
from domain.product.state import Product
from domain.stock.commands import AdjustStock, ReceiveStock, StockCommand
from domain.stock.state import Stock
from infra.auth import Auth
from schemas.base import Sku
from schemas.events.product import ProductEvent
from schemas.events.stock import StockEvent
from schemas.ids import product_id, stock_id
from write_api.answers import ProductAnswer, StockAnswer, answer
from write_api.asking import Asking, asking
from write_api.bodies import NOTHING, AdjustStockBody, ListProductBody, Nothing, ReceiveStockBody, RepriceProductBody
from write_api.handler import Handler, Target
from write_api.receipts import ProductReceipt, StockReceipt

Listed = Annotated[Sku, Path(examples=["COFFEE"])]


def add_product_routes(router: APIRouter, handler: Handler, auth: Auth) -> None:
    Managing = Annotated[Asking, Depends(asking(auth, "catalogue:manage"))]  # noqa: N806  # a type

    @router.post("/products", status_code=201, response_model=ProductAnswer, tags=["catalogue"])
    async def list_product(body: ListProductBody, by: Managing) -> Response:
        """Put a product on sale, for the first time or again after it was retired."""
        command = ListProduct(sku=body.sku, name=body.name, description=body.description, price=body.price)
        return answer(await handler.handle(_product(by, body.sku), command, by.by(body)), 201)

    @router.post("/products/{sku}/price", response_model=ProductAnswer, tags=["catalogue"])
    async def reprice_product(sku: Listed, body: RepriceProductBody, by: Managing) -> Response:
        """Set the price for orders placed from now on."""
        command = RepriceProduct(sku=sku, price=body.price)
        return answer(await handler.handle(_product(by, sku), command, by.by(body)), 200)

    @router.post("/products/{sku}/retirement", response_model=ProductAnswer, tags=["catalogue"])
    async def retire_product(sku: Listed, by: Managing, body: Nothing = NOTHING) -> Response:
        """Take a product off sale; placed orders are not touched."""
        return answer(await handler.handle(_product(by, sku), RetireProduct(sku=sku), by.by(body)), 200)


def add_stock_routes(router: APIRouter, handler: Handler, auth: Auth) -> None:
    Managing = Annotated[Asking, Depends(asking(auth, "stock:manage"))]  # noqa: N806  # a type

    @router.post("/stock/{sku}/receipts", status_code=201, response_model=StockAnswer, tags=["stock"])
    async def receive_stock(sku: Listed, body: ReceiveStockBody, by: Managing) -> Response:
        """Put goods on the shelf."""
        command = ReceiveStock(sku=sku, quantity=body.quantity, reference=body.reference)
        return answer(await handler.handle(_stock(by, sku), command, by.by(body)), 201)

    @router.post("/stock/{sku}/adjustments", response_model=StockAnswer, tags=["stock"])
    async def adjust_stock(sku: Listed, body: AdjustStockBody, by: Managing) -> Response:
        """Correct what is on the shelf, never below what is set aside for orders."""
        command = AdjustStock(sku=sku, delta=body.delta, reason=body.reason)
        return answer(await handler.handle(_stock(by, sku), command, by.by(body)), 200)


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
