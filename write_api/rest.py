"""Orders over HTTP: placing, cancelling, shipping, delivering and refunding."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import Response

from domain import errors
from infra.auth import Auth
from write_api.answers import OrderAnswer, RefundAnswer, ShipmentAnswer, answer
from write_api.asking import Asking, asking
from write_api.bodies import (
    NO_REASON,
    NOTHING,
    AskRefundBody,
    CancelOrderBody,
    Nothing,
    PlaceOrderBody,
    RecordShipmentBody,
)
from write_api.description import refuses
from write_api.orders import Orders

_PLACING: Final = refuses(
    errors.ProductNotFound,
    errors.ProductOffSale,
    errors.DuplicateSku,
    errors.CurrencyMismatch,
    errors.OrderTotalTooLarge,
    errors.OrderAlreadyPlaced,
)
_CANCELLING: Final = refuses(errors.OrderNotFound, errors.OrderAlreadyShipped, errors.OrderClosed)
_SHIPPING: Final = refuses(
    errors.OrderNotFound,
    errors.OrderNotConfirmed,
    errors.OrderClosed,
    errors.NothingLeftToShip,
    errors.PickExceedsOrder,
    errors.DuplicateSku,
)
_DELIVERING: Final = refuses(errors.OrderNotFound, errors.ShipmentNotFound, errors.OrderClosed)
_ERASING: Final = refuses(errors.OrderNotFound, errors.OrderStillOpen)
_REFUNDING: Final = refuses(
    errors.PaymentNotFound, errors.EmptyRefund, errors.CurrencyMismatch, errors.RefundExceedsCaptured
)


def add_order_routes(router: APIRouter, orders: Orders, auth: Auth, *, orders_url: str) -> None:
    """`orders_url` is where the query API shows orders; Location headers begin with it."""
    Placing = Annotated[Asking, Depends(asking(auth, "orders:write"))]  # noqa: N806  # a type
    Cancelling = Annotated[Asking, Depends(asking(auth, "orders:write", "orders:manage"))]  # noqa: N806

    @router.post("/orders", status_code=201, response_model=OrderAnswer, tags=["orders"], openapi_extra=_PLACING)
    async def place_order(body: PlaceOrderBody, by: Placing) -> Response:
        """Place an order at the catalogue's prices."""
        return answer(await orders.place(body, by), 201, orders_url=orders_url)

    @router.post(
        "/orders/{order_id}/cancellation", response_model=OrderAnswer, tags=["orders"], openapi_extra=_CANCELLING
    )
    async def cancel_order(order_id: UUID, by: Cancelling, body: CancelOrderBody = NO_REASON) -> Response:
        """Cancel an order of which nothing has shipped: a customer their own, staff any."""
        return answer(await orders.cancel(order_id, body, by), 200)


def add_erasure_routes(router: APIRouter, orders: Orders, auth: Auth) -> None:
    Erasing = Annotated[Asking, Depends(asking(auth, "customers:erase"))]  # noqa: N806  # a type

    @router.post("/orders/{order_id}/erasure", response_model=OrderAnswer, tags=["orders"], openapi_extra=_ERASING)
    async def erase_contact(order_id: UUID, by: Erasing, body: Nothing = NOTHING) -> Response:
        """Record that the customer of an order that has ended is forgotten: nobody is shown the contact any more.

        `orderflow erase customer` does so for every order of a customer and destroys the key that opens them.
        """
        return answer(await orders.erase(order_id, body, by), 200)


def add_fulfilment_routes(router: APIRouter, orders: Orders, auth: Auth) -> None:
    """What staff record while an order goes out and comes back."""
    Shipping = Annotated[Asking, Depends(asking(auth, "orders:manage"))]  # noqa: N806  # a type
    Refunding = Annotated[Asking, Depends(asking(auth, "payments:refund"))]  # noqa: N806

    @router.post(
        "/orders/{order_id}/shipments",
        status_code=201,
        response_model=ShipmentAnswer,
        tags=["orders"],
        openapi_extra=_SHIPPING,
    )
    async def record_shipment(order_id: UUID, body: RecordShipmentBody, by: Shipping) -> Response:
        """Record that goods have left: some lines, or all that is left."""
        return answer(await orders.ship(order_id, body, by), 201)

    @router.post(
        "/orders/{order_id}/shipments/{shipment_id}/delivery",
        response_model=ShipmentAnswer,
        tags=["orders"],
        openapi_extra=_DELIVERING,
    )
    async def record_delivery(order_id: UUID, shipment_id: UUID, by: Shipping, body: Nothing = NOTHING) -> Response:
        """Record that a shipment has arrived."""
        return answer(await orders.deliver(order_id, shipment_id, body, by), 200)

    @router.post(
        "/orders/{order_id}/refunds",
        status_code=201,
        response_model=RefundAnswer,
        tags=["payments"],
        openapi_extra=_REFUNDING,
    )
    async def ask_refund(order_id: UUID, body: AskRefundBody, by: Refunding) -> Response:
        """Ask for captured money to be given back. The refund itself follows."""
        return answer(await orders.refund(order_id, body, by), 201)
