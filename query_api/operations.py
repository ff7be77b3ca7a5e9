"""What staff can ask about a tenant: catalogue, stock, sales, processes and the live figures."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from infra.auth import Auth, Caller
from query_api import sales
from query_api.answers import answered
from query_api.audit.viewers import viewing
from query_api.description import MISSING, READS, THEN
from query_api.parameters import (
    AsOf,
    DayRange,
    Fresh,
    HourRange,
    ProcessQuery,
    ProductQuery,
    ProductSalesQuery,
    StockQuery,
)
from query_api.questions import ShopQuestions
from query_api.reading import Page
from schemas.base import Sku
from schemas.views import Dashboard, ProcessBoardEntry, ProductView, StockLevel

_Sku = Annotated[Sku, Path(examples=["ETH-YIRG-250"])]


def catalogue_routes(questions: ShopQuestions, auth: Auth) -> APIRouter:
    """Routes of products, for everybody with a token, and of stock and processes, for staff."""
    router = APIRouter(prefix="/v1", responses=READS)
    anybody = Depends(viewing(auth))
    stockroom = Depends(viewing(auth, "operations:read", "stock:manage"))
    staff = Depends(viewing(auth, "operations:read"))

    @router.get("/products", response_model=Page[ProductView], tags=["catalogue"], responses=THEN)
    async def list_products(
        request: Request, by: Annotated[Caller, anybody], asked: Annotated[ProductQuery, Query()]
    ) -> Response:
        """List the catalogue by SKU."""
        return answered(request, await questions.products(by, asked))

    @router.get("/products/{sku}", response_model=ProductView, tags=["catalogue"], responses=MISSING)
    async def get_product(
        request: Request, sku: _Sku, by: Annotated[Caller, anybody], asked: Annotated[Fresh, Query()]
    ) -> Response:
        """Give one product."""
        return answered(request, await questions.product(by, sku, asked))

    @router.get("/stock", response_model=Page[StockLevel], tags=["stock"], responses=THEN)
    async def list_stock(
        request: Request, by: Annotated[Caller, stockroom], asked: Annotated[StockQuery, Query()]
    ) -> Response:
        """List stock levels by SKU."""
        return answered(request, await questions.stock(by, asked))

    @router.get("/stock/{sku}", response_model=StockLevel, tags=["stock"], responses=MISSING)
    async def get_stock(
        request: Request, sku: _Sku, by: Annotated[Caller, stockroom], asked: Annotated[Fresh, Query()]
    ) -> Response:
        """Give the stock level of one SKU."""
        return answered(request, await questions.stock_level(by, sku, asked))

    @router.get("/processes", response_model=Page[ProcessBoardEntry], tags=["operations"])
    async def list_processes(
        request: Request, by: Annotated[Caller, staff], asked: Annotated[ProcessQuery, Query()]
    ) -> Response:
        """Show where every order's fulfilment is and what it waits for, the last changed first."""
        return answered(request, await questions.processes(by, asked))

    return router


def figure_routes(questions: ShopQuestions, auth: Auth) -> APIRouter:
    """Routes of sales figures and of the live figures, for staff."""
    router = APIRouter(prefix="/v1", responses=READS)
    staff = Depends(viewing(auth, "operations:read"))

    @router.get("/sales/hourly", response_model=sales.Hourly, tags=["sales"], responses=THEN)
    async def get_hourly_sales(
        request: Request, by: Annotated[Caller, staff], asked: Annotated[HourRange, Query()]
    ) -> Response:
        """Give confirmed sales by the hour."""
        return answered(request, await questions.hourly_sales(by, asked))

    @router.get("/sales/daily", response_model=sales.Daily, tags=["sales"], responses=THEN)
    async def get_daily_sales(
        request: Request, by: Annotated[Caller, staff], asked: Annotated[DayRange, Query()]
    ) -> Response:
        """Give confirmed sales by the UTC day."""
        return answered(request, await questions.daily_sales(by, asked))

    @router.get("/sales/products", response_model=sales.ByProduct, tags=["sales"], responses=THEN)
    async def get_product_sales(
        request: Request, by: Annotated[Caller, staff], asked: Annotated[ProductSalesQuery, Query()]
    ) -> Response:
        """Give confirmed sales by product, the most revenue first."""
        return answered(request, await questions.product_sales(by, asked))

    @router.get("/dashboard", response_model=Dashboard, tags=["operations"], responses=THEN)
    async def get_dashboard(
        request: Request, by: Annotated[Caller, staff], asked: Annotated[AsOf, Query()]
    ) -> Response:
        """Give the live figures, whole and of one moment; 503 when they cannot be read or are being counted anew."""
        return answered(request, await questions.dashboard(by, asked))

    return router
