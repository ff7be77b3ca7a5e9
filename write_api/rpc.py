"""Commands over gRPC: each call becomes the body that HTTP takes, and goes the same way."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Final
from uuid import UUID

from grpc.aio import Server
from orderflow.commands.v1 import catalogue_command_service_pb2 as shop_pb
from orderflow.commands.v1 import order_command_service_pb2 as order_pb
from orderflow.commands.v1.catalogue_command_service_pb2_grpc import (
    CatalogueCommandServiceServicer,
    add_CatalogueCommandServiceServicer_to_server,
)
from orderflow.commands.v1.order_command_service_pb2_grpc import (
    OrderCommandServiceServicer,
    add_OrderCommandServiceServicer_to_server,
)

from infra.auth import Auth
from infra.rpc.refusing import Context
from infra.rpc.server import Ready, Services
from infra.rpc.values import M
from write_api.asking import asking_by_call
from write_api.bodies import (
    NOTHING,
    AdjustStockBody,
    AskRefundBody,
    CancelOrderBody,
    ListProductBody,
    PlaceOrderBody,
    ReceiveStockBody,
    RecordShipmentBody,
    RepriceProductBody,
)
from write_api.handler import Done
from write_api.orders import Orders
from write_api.refusals import problem_of
from write_api.rpc_bulk import place_all
from write_api.rpc_messages import answered, body_of
from write_api.shop import Shop

_ORDERS: Final = "/v1/orders"
_UNDER_WAY: Final[set[asyncio.Task[Any]]] = set()


def services(orders: Orders, shop: Shop, auth: Auth, ready: Ready) -> Services:
    """Give what the write API serves over gRPC."""

    def add(server: Server) -> None:
        add_OrderCommandServiceServicer_to_server(OrderCommands(orders), server)
        add_CatalogueCommandServiceServicer_to_server(CatalogueCommands(shop), server)

    contracts = (order_pb.DESCRIPTOR, shop_pb.DESCRIPTOR)
    names = tuple(service.full_name for file in contracts for service in file.services_by_name.values())
    return Services(add, names, auth, problem_of, ready)


class OrderCommands(OrderCommandServiceServicer):
    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    async def PlaceOrder(self, request: order_pb.PlaceOrderRequest, _: Context) -> order_pb.PlaceOrderResponse:
        by = asking_by_call(_ORDERS, "orders:write")
        return await _done(order_pb.PlaceOrderResponse, self._orders.place(body_of(PlaceOrderBody, request), by))

    async def PlaceOrders(
        self, requests: AsyncIterator[order_pb.PlaceOrdersRequest], _: Context
    ) -> order_pb.PlaceOrdersResponse:
        return await place_all(self._orders, requests)

    async def CancelOrder(self, request: order_pb.CancelOrderRequest, _: Context) -> order_pb.CancelOrderResponse:
        order_id = UUID(request.order_id)
        path = f"{_ORDERS}/{order_id}/cancellation"
        by = asking_by_call(path, "orders:write", "orders:manage")
        body = body_of(CancelOrderBody, request, "order_id")
        return await _done(order_pb.CancelOrderResponse, self._orders.cancel(order_id, body, by))

    async def RecordShipment(
        self, request: order_pb.RecordShipmentRequest, _: Context
    ) -> order_pb.RecordShipmentResponse:
        order_id = UUID(request.order_id)
        by = asking_by_call(f"{_ORDERS}/{order_id}/shipments", "orders:manage")
        body = body_of(RecordShipmentBody, request, "order_id")
        return await _done(order_pb.RecordShipmentResponse, self._orders.ship(order_id, body, by))

    async def RecordDelivery(
        self, request: order_pb.RecordDeliveryRequest, _: Context
    ) -> order_pb.RecordDeliveryResponse:
        order_id, shipment_id = UUID(request.order_id), UUID(request.shipment_id)
        path = f"{_ORDERS}/{order_id}/shipments/{shipment_id}/delivery"
        by = asking_by_call(path, "orders:manage")
        return await _done(order_pb.RecordDeliveryResponse, self._orders.deliver(order_id, shipment_id, NOTHING, by))

    async def EraseContact(self, request: order_pb.EraseContactRequest, _: Context) -> order_pb.EraseContactResponse:
        order_id = UUID(request.order_id)
        by = asking_by_call(f"{_ORDERS}/{order_id}/erasure", "customers:erase")
        return await _done(order_pb.EraseContactResponse, self._orders.erase(order_id, NOTHING, by))

    async def AskRefund(self, request: order_pb.AskRefundRequest, _: Context) -> order_pb.AskRefundResponse:
        order_id = UUID(request.order_id)
        by = asking_by_call(f"{_ORDERS}/{order_id}/refunds", "payments:refund")
        body = body_of(AskRefundBody, request, "order_id")
        return await _done(order_pb.AskRefundResponse, self._orders.refund(order_id, body, by))


class CatalogueCommands(CatalogueCommandServiceServicer):
    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def ListProduct(self, request: shop_pb.ListProductRequest, _: Context) -> shop_pb.ListProductResponse:
        by = asking_by_call("/v1/products", "catalogue:manage")
        return await _done(shop_pb.ListProductResponse, self._shop.list_product(body_of(ListProductBody, request), by))

    async def RepriceProduct(
        self, request: shop_pb.RepriceProductRequest, _: Context
    ) -> shop_pb.RepriceProductResponse:
        by = asking_by_call(f"/v1/products/{request.sku}/price", "catalogue:manage")
        body = body_of(RepriceProductBody, request, "sku")
        return await _done(shop_pb.RepriceProductResponse, self._shop.reprice(request.sku, body, by))

    async def RetireProduct(self, request: shop_pb.RetireProductRequest, _: Context) -> shop_pb.RetireProductResponse:
        by = asking_by_call(f"/v1/products/{request.sku}/retirement", "catalogue:manage")
        return await _done(shop_pb.RetireProductResponse, self._shop.retire(request.sku, NOTHING, by))

    async def ReceiveStock(self, request: shop_pb.ReceiveStockRequest, _: Context) -> shop_pb.ReceiveStockResponse:
        by = asking_by_call(f"/v1/stock/{request.sku}/receipts", "stock:manage")
        body = body_of(ReceiveStockBody, request, "sku")
        return await _done(shop_pb.ReceiveStockResponse, self._shop.receive(request.sku, body, by))

    async def AdjustStock(self, request: shop_pb.AdjustStockRequest, _: Context) -> shop_pb.AdjustStockResponse:
        by = asking_by_call(f"/v1/stock/{request.sku}/adjustments", "stock:manage")
        body = body_of(AdjustStockBody, request, "sku")
        return await _done(shop_pb.AdjustStockResponse, self._shop.adjust(request.sku, body, by))


async def _done(kind: type[M], work: Coroutine[Any, Any, Done]) -> M:
    """Answer with what a command has done. One that has begun is finished, also when the caller no longer waits."""
    task = asyncio.create_task(work)
    _UNDER_WAY.add(task)
    task.add_done_callback(_ended)
    return answered(kind, await asyncio.shield(task))


def _ended(task: asyncio.Task[Done]) -> None:
    """Look at what it raised, which nobody may wait for any more: its caller will ask again with the same key."""
    _UNDER_WAY.discard(task)
    if not task.cancelled():
        task.exception()
