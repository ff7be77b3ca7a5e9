"""Orders over HTTP: placing, cancelling, shipping, delivering and refunding."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import Response

from domain.aggregates import ORDER, PAYMENT
from domain.order.commands import (
    CancelAnyOrder,
    CancelOwnOrder,
    OrderCommand,
    PlaceOrder,
    RecordDelivery,
    RecordShipment,
)
from domain.order.state import Order
from domain.payment.commands import AskRefund
from infra.auth import Auth
from infra.problems import Problem
from schemas.events.order import OrderEvent
from schemas.ids import new_id, payment_id
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
from write_api.catalogue import Catalogue
from write_api.handler import Handler, Target
from write_api.receipts import OrderReceipt, RefundReceipt, ShipmentReceipt

OrderTarget = Target[Order, OrderCommand, OrderEvent]


def add_order_routes(router: APIRouter, handler: Handler, catalogue: Catalogue, auth: Auth, *, orders_url: str) -> None:
    """`orders_url` is where the query API shows orders; Location headers begin with it."""
    Placing = Annotated[Asking, Depends(asking(auth, "orders:write"))]  # noqa: N806  # a type
    Cancelling = Annotated[Asking, Depends(asking(auth, "orders:write", "orders:manage"))]  # noqa: N806

    @router.post("/orders", status_code=201, response_model=OrderAnswer, tags=["orders"])
    async def place_order(body: PlaceOrderBody, by: Placing) -> Response:
        """Place an order at the catalogue's prices."""
        order_id = new_id()
        placing = _quoted(catalogue, body, by)
        return answer(await handler.start(_order(order_id), placing, by.by(body)), 201, orders_url=orders_url)

    @router.post("/orders/{order_id}/cancellation", response_model=OrderAnswer, tags=["orders"])
    async def cancel_order(order_id: UUID, by: Cancelling, body: CancelOrderBody = NO_REASON) -> Response:
        """Cancel an order of which nothing has shipped: a customer their own, staff any."""
        return answer(await handler.handle(_order(order_id), _cancellation(body, by), by.by(body)), 200)


def add_fulfilment_routes(router: APIRouter, handler: Handler, auth: Auth) -> None:
    """What staff record while an order goes out and comes back."""
    Shipping = Annotated[Asking, Depends(asking(auth, "orders:manage"))]  # noqa: N806
    Refunding = Annotated[Asking, Depends(asking(auth, "payments:refund"))]  # noqa: N806

    @router.post("/orders/{order_id}/shipments", status_code=201, response_model=ShipmentAnswer, tags=["orders"])
    async def record_shipment(order_id: UUID, body: RecordShipmentBody, by: Shipping) -> Response:
        """Record that goods have left: some lines, or all that is left."""
        shipment_id = new_id()
        command = RecordShipment(
            shipment_id=shipment_id, carrier=body.carrier, tracking=body.tracking, picks=body.lines
        )
        return answer(await handler.handle(_shipment(order_id, shipment_id), command, by.by(body)), 201)

    @router.post("/orders/{order_id}/shipments/{shipment_id}/delivery", response_model=ShipmentAnswer, tags=["orders"])
    async def record_delivery(order_id: UUID, shipment_id: UUID, by: Shipping, body: Nothing = NOTHING) -> Response:
        """Record that a shipment has arrived."""
        command = RecordDelivery(shipment_id=shipment_id)
        return answer(await handler.handle(_shipment(order_id, shipment_id), command, by.by(body)), 200)

    @router.post("/orders/{order_id}/refunds", status_code=201, response_model=RefundAnswer, tags=["payments"])
    async def ask_refund(order_id: UUID, body: AskRefundBody, by: Refunding) -> Response:
        """Ask for captured money to be given back. The refund itself follows."""
        command = AskRefund(refund_id=new_id(), amount=body.amount, reason=body.reason)
        target = Target(PAYMENT, payment_id(order_id), lambda _, version: _refund(order_id, command, version))
        return answer(await handler.handle(target, command, by.by(body)), 201)


async def _quoted(catalogue: Catalogue, body: PlaceOrderBody, by: Asking) -> PlaceOrder:
    return PlaceOrder(
        customer_id=by.caller.customer_id,
        contact=body.contact,
        locale=body.locale,
        lines=await catalogue.quote(by.caller.tenant_id, body.lines),
        payment_token=body.payment_token,
    )


def _cancellation(body: CancelOrderBody, by: Asking) -> CancelOwnOrder | CancelAnyOrder:
    if "orders:manage" in by.caller.scopes:
        return CancelAnyOrder(reason=body.reason or "staff_decision")
    if body.reason == "staff_decision":
        raise Problem(403, detail="Only staff can give that reason.")
    return CancelOwnOrder(customer_id=by.caller.customer_id)


def _order(order_id: UUID) -> OrderTarget:
    def receipt(order: Order, version: int) -> OrderReceipt:
        return OrderReceipt(version=version, order_id=order_id, status=order.status, total=order.total)

    return Target(ORDER, order_id, receipt)


def _shipment(order_id: UUID, shipment_id: UUID) -> OrderTarget:
    def receipt(order: Order, version: int) -> ShipmentReceipt:
        return ShipmentReceipt(
            version=version, order_id=order_id, status=order.status, total=order.total, shipment_id=shipment_id
        )

    return Target(ORDER, order_id, receipt)


def _refund(order_id: UUID, command: AskRefund, version: int) -> RefundReceipt:
    return RefundReceipt(version=version, order_id=order_id, refund_id=command.refund_id, amount=command.amount)
