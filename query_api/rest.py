"""What can be asked about orders and customers. A customer sees the own orders; staff and auditors see the tenant's."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from infra.auth import Auth, Caller
from query_api.answers import answered
from query_api.audit.viewers import viewing
from query_api.description import MISSING, READS, THEN
from query_api.history.story_parts import Timeline
from query_api.parameters import Fresh, OrderQuery, TimelineQuery
from query_api.questions import OrderQuestions
from query_api.reading import Page
from schemas.views import CustomerHistory, OrderDetail, OrderSummary


def order_routes(questions: OrderQuestions, auth: Auth) -> APIRouter:
    """Routes of orders and customers."""
    router = APIRouter(prefix="/v1", responses=READS)
    reading = Depends(viewing(auth, "orders:read", "orders:manage"))

    @router.get("/orders", response_model=Page[OrderSummary], tags=["orders"], responses=THEN)
    async def list_orders(
        request: Request, by: Annotated[Caller, reading], asked: Annotated[OrderQuery, Query()]
    ) -> Response:
        """Find orders, the newest first unless sorted otherwise. A next page never repeats or skips a standing row."""
        return answered(request, await questions.orders(by, asked))

    @router.get("/orders/{order_id}", response_model=OrderDetail, tags=["orders"], responses=MISSING)
    async def get_order(
        request: Request, order_id: UUID, by: Annotated[Caller, reading], asked: Annotated[Fresh, Query()]
    ) -> Response:
        """Give one order with its lines, payment and shipments."""
        return answered(request, await questions.order(by, order_id, asked))

    @router.get("/orders/{order_id}/timeline", response_model=Timeline, tags=["orders"], responses=MISSING)
    async def get_timeline(
        request: Request, order_id: UUID, by: Annotated[Caller, reading], asked: Annotated[TimelineQuery, Query()]
    ) -> Response:
        """Tell what happened to an order, to its payment and to stock for it, why, and what it waits for now."""
        return answered(request, await questions.timeline(by, order_id, asked))

    @router.get("/customers/{customer_id}", response_model=CustomerHistory, tags=["customers"], responses=MISSING)
    async def get_customer(
        request: Request, customer_id: UUID, by: Annotated[Caller, reading], asked: Annotated[Fresh, Query()]
    ) -> Response:
        """Sum up what a customer has ordered."""
        return answered(request, await questions.customer(by, customer_id, asked))

    @router.get(
        "/customers/{customer_id}/orders", response_model=Page[OrderSummary], tags=["customers"], responses=MISSING
    )
    async def list_orders_of_customer(
        request: Request, customer_id: UUID, by: Annotated[Caller, reading], asked: Annotated[OrderQuery, Query()]
    ) -> Response:
        """Give a customer's order history; filters and sorts as in the list of orders."""
        return answered(request, await questions.orders_of(by, customer_id, asked))

    return router
