"""The write API over gRPC, to call as one tenant."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import grpc
import pytest
from google.rpc.status_pb2 import Status
from orderflow.commands.v1 import order_command_service_pb2 as pb
from orderflow.commands.v1.order_command_service_pb2_grpc import OrderCommandServiceStub

from infra.rpc.refusing import DETAILS
from infra.rpc.values import filled
from tests.edges.write.shop import Shop, an_order
from tests.grpc_edge import problem_of

PLACE: Final = "/orderflow.commands.v1.OrderCommandService/PlaceOrder"
Metadata = tuple[tuple[str, str], ...]


def order_request(quantity: int = 2, sku: str = "COFFEE") -> pb.PlaceOrderRequest:
    return filled(pb.PlaceOrderRequest, an_order(quantity, sku))


@dataclass(frozen=True)
class Rpc:
    shop: Shop
    channel: grpc.aio.Channel

    def metadata(self, key: str | None = None, *more: tuple[str, str]) -> Metadata:
        return (("authorization", f"Bearer {self.shop.token}"), ("idempotency-key", key or str(uuid4())), *more)

    async def place(self, quantity: int = 2, *, key: str | None = None) -> pb.PlaceOrderResponse:
        return await OrderCommandServiceStub(self.channel).PlaceOrder(
            order_request(quantity), metadata=self.metadata(key)
        )

    async def send(self, data: bytes, *metadata: tuple[str, str], method: str = PLACE) -> Any:  # noqa: ANN401
        """Send bytes as they are, with exactly this metadata."""
        call: Any = self.channel.unary_unary(method)
        return await call(data, metadata=metadata)


def told(refused: grpc.aio.AioRpcError) -> dict[str, Any]:
    """Give the problem document that a refusal carries."""
    details = dict(refused.trailing_metadata())[DETAILS]
    assert isinstance(details, bytes)
    return problem_of(Status.FromString(details))


@contextmanager
def refused_as(code: str, kind: str) -> Iterator[None]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield
    assert (caught.value.code().name, told(caught.value)["type"]) == (code, f"/problems/{kind}")
