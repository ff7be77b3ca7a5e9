"""An auditor reads, and can write nothing, whichever way."""

import asyncio
from typing import Any, Final

import grpc
import httpx
import pytest
from orderflow.commands.v1 import order_command_service_pb2 as pb
from orderflow.commands.v1.order_command_service_pb2_grpc import OrderCommandServiceStub

from tests.edges.write.rpc import order_request, refused_as
from tests.edges.write.shop import COFFEE, Shop, an_order
from tests.grpc_edge import GrpcEdge
from tests.grpc_methods import METHODS, SERVICES

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

SOMETHING: Final = "01981d3c-7cf8-7a10-8d4c-6f9619ff8b86"
EUROS: Final = {"amount": 100, "currency": "EUR"}
BODIES: Final[dict[str, dict[str, Any]]] = {
    "PlaceOrder": an_order(),
    "RecordShipment": {"carrier": "CTT"},
    "AskRefund": {"amount": EUROS, "reason": "customer_request"},
    "ListProduct": COFFEE,
    "RepriceProduct": {"price": EUROS},
    "ReceiveStock": {"quantity": 1},
    "AdjustStock": {"delta": 1, "reason": "count"},
}
"""What would be accepted of somebody else; the other commands have no body."""
COMMANDS: Final = [method for method in METHODS if method.verb == "POST"]
BY_STREAM: Final = {"PlaceOrders"}


@pytest.mark.parametrize("edge", ["rest", "grpc"])
@pytest.mark.parametrize("method", COMMANDS, ids=lambda method: method.name)
async def test_a_command_of_an_auditor_is_forbidden(shop: Shop, method: Any, edge: str) -> None:  # noqa: ANN401
    auditor = shop.as_("rita", "audit:read")
    path = method.path.format(order_id=SOMETHING, shipment_id=SOMETHING, sku="COFFEE")
    headers = {"authorization": f"Bearer {auditor.token}", "idempotency-key": "k"}
    request = shop.client.build_request("POST", path, json=BODIES.get(method.name, {}), headers=headers)
    answer = await (shop.client.send(request) if edge == "rest" else over_grpc(shop, request))
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden"), answer.text
    assert await shop.events() == []


async def test_orders_of_an_auditor_are_forbidden_in_bulk(shop: Shop) -> None:
    metadata = (("authorization", f"Bearer {shop.as_('rita', 'audit:read').token}"),)
    orders = iter([pb.PlaceOrdersRequest(idempotency_key="k", order=order_request())])
    async with grpc.aio.insecure_channel(shop.grpc) as channel:
        with refused_as("PERMISSION_DENIED", "forbidden"):
            await OrderCommandServiceStub(channel).PlaceOrders(orders, metadata=metadata)
    assert await shop.events() == []


async def test_every_command_is_among_them() -> None:
    known = {
        name for service in SERVICES.values() if ".commands." in service.full_name for name in service.methods_by_name
    }
    assert known == {method.name for method in COMMANDS} | BY_STREAM


async def over_grpc(shop: Shop, request: httpx.Request) -> httpx.Response:
    edge = GrpcEdge(shop.grpc, "")
    try:
        return await asyncio.to_thread(edge.handle_request, request)
    finally:
        edge.close()
