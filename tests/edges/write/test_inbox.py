from uuid import uuid4

import pytest

from domain.defects import StockNotReserved
from domain.errors import OrderNotFound
from schemas.commands import (
    CancelOrder,
    ConfirmOrder,
    DispatchStock,
    NotifyCustomer,
    ReleaseStock,
    RequestPayment,
    ReserveStock,
)
from schemas.ids import payment_id
from schemas.money import Money
from tests.edges.write.messages import deliver, sent
from tests.edges.write.shop import Shop
from write_api.inbox import Misrouted

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]


async def test_a_command_of_a_process_is_carried_out_in_its_name(shop: Shop) -> None:
    order_id = await shop.place()
    message = sent(shop, ConfirmOrder(order_id=order_id))
    await deliver(shop, message)
    recorded = (await shop.events())[-1].recorded
    assert (recorded.event.type, recorded.actor) == ("order.confirmed.v1", "process:order_fulfilment")
    assert recorded.trace.causation_id == message.message_id
    assert recorded.trace.correlation_id == message.trace.correlation_id


async def test_each_command_finds_the_stream_that_it_is_about(shop: Shop) -> None:
    order_id = await shop.place()
    await deliver(shop, sent(shop, ReserveStock(sku="COFFEE", order_id=order_id, quantity=1)))
    money = Money(amount=2500, currency="EUR")
    await deliver(shop, sent(shop, RequestPayment(order_id=order_id, amount=money, payment_token="tok_visa")))
    events = {stored.topic: stored.stream_id for stored in await shop.events()}
    assert events["stock.short.v1"] not in {order_id, payment_id(order_id)}
    assert events["payment.requested.v1"] == payment_id(order_id)


async def test_a_message_that_comes_again_is_not_carried_out_again(shop: Shop) -> None:
    message = sent(shop, ReserveStock(sku="COFFEE", order_id=uuid4(), quantity=1))
    await shop.post("/v1/stock/COFFEE/receipts", {"quantity": 5})
    await deliver(shop, message)
    await deliver(shop, message)
    assert await shop.topics() == ["stock.received.v1", "stock.reserved.v1"]


async def test_a_message_that_comes_again_after_its_order_was_forgotten_is_not_decided_on_again(shop: Shop) -> None:
    order_id = uuid4()
    reservation = sent(shop, ReserveStock(sku="COFFEE", order_id=order_id, quantity=1))
    await shop.post("/v1/stock/COFFEE/receipts", {"quantity": 5})
    await deliver(shop, reservation)
    await deliver(shop, sent(shop, ReleaseStock(sku="COFFEE", order_id=order_id)))
    await deliver(shop, reservation)
    assert await shop.topics() == ["stock.received.v1", "stock.reserved.v1", "stock.released.v1"]


async def test_a_command_that_comes_too_late_is_no_event_and_no_error(shop: Shop) -> None:
    order_id = await shop.place()
    await shop.post(f"/v1/orders/{order_id}/cancellation")
    await deliver(shop, sent(shop, ConfirmOrder(order_id=order_id)))
    await deliver(shop, sent(shop, CancelOrder(order_id=order_id, reason="out_of_stock")))
    assert (await shop.topics())[-1] == "order.cancelled.v1"


async def test_a_refusal_is_a_defect_of_the_sender_and_is_raised_for_the_bus_to_park(shop: Shop) -> None:
    dispatch = DispatchStock(sku="COFFEE", order_id=uuid4(), shipment_id=uuid4(), quantity=1)
    with pytest.raises(StockNotReserved):
        await deliver(shop, sent(shop, dispatch))
    with pytest.raises(OrderNotFound):
        await deliver(shop, sent(shop, ConfirmOrder(order_id=uuid4())))
    assert await shop.events() == []


async def test_a_command_for_a_worker_is_refused(shop: Shop) -> None:
    notify = NotifyCustomer(order_id=uuid4(), template="order_confirmed", event_id=uuid4())
    with pytest.raises(Misrouted):
        await deliver(shop, sent(shop, notify))
