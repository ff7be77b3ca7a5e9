"""Many orders in one call: placed side by side, so that they share commits, and answered one by one."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

from orderflow.commands.v1 import order_command_service_pb2 as pb

from infra.problems import Problem
from infra.rpc.calls import checked, current, told
from infra.rpc.refusing import status_of
from write_api.asking import Asking, asking_by_call
from write_api.bodies import PlaceOrderBody
from write_api.orders import Orders
from write_api.refusals import problem_of
from write_api.rpc_messages import answered, body_of

MOST_ORDERS: Final = 5_000
"""In one call, so that the answer stays within what clients take (4 MB)."""
_TOGETHER: Final = 250
Requests = AsyncIterator[pb.PlaceOrdersRequest | None]


async def place_all(orders: Orders, requests: Requests) -> pb.PlaceOrdersResponse:
    """Place each order under its own key; gives a result for each, in their order.

    Raises the 413 problem for too many: those before were placed, and are recognised when they are sent again.
    """
    by = asking_by_call("/v1/orders", "orders:write", keyed=False)
    results: list[pb.PlaceOrdersResult] = []
    placing = asyncio.create_task(_place(orders, [], by))
    try:
        async for some in _batches(requests):
            results += await placing
            if len(results) + len(some) > MOST_ORDERS:
                raise Problem(413, "too-many-orders", f"A call takes {MOST_ORDERS} orders. Send the others in another.")
            placing = asyncio.create_task(_place(orders, some, by))
        results += await placing
    finally:
        placing.cancel()
    return pb.PlaceOrdersResponse(results=results)


async def _batches(requests: Requests) -> AsyncIterator[list[pb.PlaceOrdersRequest | None]]:
    """Read on while the orders before are being placed."""
    some: list[pb.PlaceOrdersRequest | None] = []
    async for request in requests:
        some.append(request)
        if len(some) == _TOGETHER:
            yield some
            some = []
    if some:
        yield some


async def _place(
    orders: Orders, requests: Sequence[pb.PlaceOrdersRequest | None], by: Asking
) -> list[pb.PlaceOrdersResult]:
    return await asyncio.gather(*(_result(orders, request, by) for request in requests))


async def _result(orders: Orders, request: pb.PlaceOrdersRequest | None, by: Asking) -> pb.PlaceOrdersResult:
    key = "" if request is None else request.idempotency_key
    try:
        body = body_of(PlaceOrderBody, checked(request).order)
        done = await orders.place(body, replace(by, key=key))
    except Exception as error:  # noqa: BLE001  # each order by itself
        refused = status_of(told(error, problem_of), current().request_id)
        return pb.PlaceOrdersResult(idempotency_key=key, refused=refused)
    return pb.PlaceOrdersResult(idempotency_key=key, placed=answered(pb.PlaceOrderResponse, done))
