"""The shop over HTTP: what is for sale, at what price, and how much of it is on the shelf."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from domain import errors
from infra.auth import Auth
from schemas.base import Sku
from write_api.answers import ProductAnswer, StockAnswer, answer
from write_api.asking import Asking, asking
from write_api.bodies import NOTHING, AdjustStockBody, ListProductBody, Nothing, ReceiveStockBody, RepriceProductBody
from write_api.description import refuses
from write_api.shop import Shop

Listed = Annotated[Sku, Path(examples=["COFFEE"])]


_LISTING: Final = refuses(errors.ProductAlreadyListed, errors.CurrencyMismatch)
_REPRICING: Final = refuses(errors.ProductNotFound, errors.ProductOffSale, errors.CurrencyMismatch)
_RETIRING: Final = refuses(errors.ProductNotFound)
_RECEIVING: Final = refuses(errors.StockLimitExceeded)
_ADJUSTING: Final = refuses(errors.StockNotFound, errors.AdjustmentBelowReserved, errors.StockLimitExceeded)


def add_product_routes(router: APIRouter, shop: Shop, auth: Auth) -> None:
    Managing = Annotated[Asking, Depends(asking(auth, "catalogue:manage"))]  # noqa: N806  # a type

    @router.post("/products", status_code=201, response_model=ProductAnswer, tags=["catalogue"], openapi_extra=_LISTING)
    async def list_product(body: ListProductBody, by: Managing) -> Response:
        """Put a product on sale, for the first time or again after it was retired."""
        return answer(await shop.list_product(body, by), 201)

    @router.post("/products/{sku}/price", response_model=ProductAnswer, tags=["catalogue"], openapi_extra=_REPRICING)
    async def reprice_product(sku: Listed, body: RepriceProductBody, by: Managing) -> Response:
        """Set the price for orders placed from now on."""
        return answer(await shop.reprice(sku, body, by), 200)

    @router.post(
        "/products/{sku}/retirement", response_model=ProductAnswer, tags=["catalogue"], openapi_extra=_RETIRING
    )
    async def retire_product(sku: Listed, by: Managing, body: Nothing = NOTHING) -> Response:
        """Take a product off sale; placed orders are not touched."""
        return answer(await shop.retire(sku, body, by), 200)


def add_stock_routes(router: APIRouter, shop: Shop, auth: Auth) -> None:
    Managing = Annotated[Asking, Depends(asking(auth, "stock:manage"))]  # noqa: N806  # a type

    @router.post(
        "/stock/{sku}/receipts", status_code=201, response_model=StockAnswer, tags=["stock"], openapi_extra=_RECEIVING
    )
    async def receive_stock(sku: Listed, body: ReceiveStockBody, by: Managing) -> Response:
        """Put goods on the shelf."""
        return answer(await shop.receive(sku, body, by), 201)

    @router.post("/stock/{sku}/adjustments", response_model=StockAnswer, tags=["stock"], openapi_extra=_ADJUSTING)
    async def adjust_stock(sku: Listed, body: AdjustStockBody, by: Managing) -> Response:
        """Correct what is on the shelf, never below what is set aside for orders."""
        return answer(await shop.adjust(sku, body, by), 200)
