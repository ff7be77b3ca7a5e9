"""What can be asked about orders and customers. A customer sees the own orders; `orders:manage` sees the tenant's."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from infra.auth import Auth, Caller
from query_api import orders
from query_api.answers import Answers, Page
from query_api.description import MISSING, READS
from query_api.parameters import Fresh, OrderQuery, TimelineQuery
from schemas.views import CustomerHistory, OrderDetail, OrderSummary, TimelineEntry


def order_routes(answers: Answers, auth: Auth) -> APIRouter:
    """Routes of orders and customers."""
    router = APIRouter(prefix="/v1", responses=READS)
    reading = Depends(auth.having("orders:read", "orders:manage"))

    @router.get("/orders", response_model=Page[OrderSummary], tags=["orders"])
    async def list_orders(
        request: Request, by: Annotated[Caller, reading], asked: Annotated[OrderQuery, Query()]
    ) -> Response:
        """Find orders, the newest first unless sorted otherwise. A next page never repeats or skips a standing row."""
        return await answers.page(request, by, asked, orders.orders(by, asked))

    @router.get("/orders/{order_id}", response_model=OrderDetail, tags=["orders"], responses=MISSING)
    async def get_order(
        request: Request, order_id: UUID, by: Annotated[Caller, reading], asked: Annotated[Fresh, Query()]
    ) -> Response:
        """Give one order with its lines, payment and shipments."""
        return await answers.one(request, asked, orders.order(by, order_id), "order-not-found")

    @router.get("/orders/{order_id}/timeline", response_model=Page[TimelineEntry], tags=["orders"], responses=MISSING)
    async def get_timeline(
        request: Request, order_id: UUID, by: Annotated[Caller, reading], asked: Annotated[TimelineQuery, Query()]
    ) -> Response:
        """Tell what happened to an order, to its payment and to stock for it, the oldest first."""
        await answers.fresh("order_details", asked)
        await answers.found(orders.order(by, order_id), "order-not-found")
        return await answers.page(request, by, asked, orders.timeline(order_id, by.tenant_id))

    @router.get("/customers/{customer_id}", response_model=CustomerHistory, tags=["customers"], responses=MISSING)
    async def get_customer(
        request: Request, customer_id: UUID, by: Annotated[Caller, reading], asked: Annotated[Fresh, Query()]
    ) -> Response:
        """Sum up what a customer has ordered."""
        return await answers.one(request, asked, orders.customer(by, customer_id), "customer-not-found")

    @router.get(
        "/customers/{customer_id}/orders", response_model=Page[OrderSummary], tags=["customers"], responses=MISSING
    )
    async def list_orders_of_customer(
        request: Request, customer_id: UUID, by: Annotated[Caller, reading], asked: Annotated[OrderQuery, Query()]
    ) -> Response:
        """Give a customer's order history; filters and sorts as in the list of orders."""
        await answers.fresh("order_summaries", asked)
        await answers.found(orders.customer(by, customer_id), "customer-not-found")
        listing = orders.orders(by, asked)
        return await answers.page(request, by, asked, orders.of_customer(listing, customer_id))

    return router
