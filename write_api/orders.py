"""What callers can ask for about orders and their payments, whichever way they ask."""

from uuid import UUID

from domain.aggregates import ORDER, PAYMENT
from domain.order.commands import (
    CancelAnyOrder,
    CancelOwnOrder,
    EraseContact,
    OrderCommand,
    PlaceOrder,
    RecordDelivery,
    RecordShipment,
)
from domain.order.state import Order
from domain.payment.commands import AskRefund
from infra.problems import Problem
from infra.vault import Vault, contact_of
from schemas.events.order import OrderEvent
from schemas.ids import new_id, payment_id
from write_api.asking import Asking
from write_api.bodies import AskRefundBody, CancelOrderBody, Nothing, PlaceOrderBody, RecordShipmentBody
from write_api.catalogue import Catalogue
from write_api.handler import Done, Handler, Target
from write_api.receipts import OrderReceipt, RefundReceipt, ShipmentReceipt

OrderTarget = Target[Order, OrderCommand, OrderEvent]


class Orders:
    """Raises what the handler raises."""

    def __init__(self, handler: Handler, catalogue: Catalogue, vault: Vault) -> None:
        self._handler = handler
        self._catalogue = catalogue
        self._vault = vault

    async def place(self, body: PlaceOrderBody, by: Asking) -> Done:
        order_id = new_id()
        asked = by.by(body, fingerprint=self._vault.tenants.fingerprint)
        return await self._handler.start(_order(order_id), self._quoted(order_id, body, by), asked)

    async def cancel(self, order_id: UUID, body: CancelOrderBody, by: Asking) -> Done:
        return await self._handler.handle(_order(order_id), _cancellation(body, by), by.by(body))

    async def ship(self, order_id: UUID, body: RecordShipmentBody, by: Asking) -> Done:
        shipment_id = new_id()
        command = RecordShipment(
            shipment_id=shipment_id, carrier=body.carrier, tracking=body.tracking, picks=body.lines
        )
        return await self._handler.handle(_shipment(order_id, shipment_id), command, by.by(body))

    async def deliver(self, order_id: UUID, shipment_id: UUID, body: Nothing, by: Asking) -> Done:
        command = RecordDelivery(shipment_id=shipment_id)
        return await self._handler.handle(_shipment(order_id, shipment_id), command, by.by(body))

    async def erase(self, order_id: UUID, body: Nothing, by: Asking) -> Done:
        return await self._handler.handle(_order(order_id), EraseContact(), by.by(body))

    async def refund(self, order_id: UUID, body: AskRefundBody, by: Asking) -> Done:
        command = AskRefund(refund_id=new_id(), amount=body.amount, reason=body.reason)
        target = Target(PAYMENT, payment_id(order_id), lambda _, version: _refund(order_id, command, version))
        return await self._handler.handle(target, command, by.by(body))

    async def _quoted(self, order_id: UUID, body: PlaceOrderBody, by: Asking) -> PlaceOrder:
        lines = await self._catalogue.quote(by.caller.tenant_id, body.lines)
        where, customer_id = contact_of(order_id), by.caller.customer_id
        return PlaceOrder(
            customer_id=customer_id,
            contact=await self._vault.seal(body.contact, where, by.caller.tenant_id, customer_id),
            locale=body.locale,
            lines=lines,
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
