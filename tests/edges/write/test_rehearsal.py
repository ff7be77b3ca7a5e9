"""A parked command is decided as it would be, on what the log holds, and appends nothing."""

from uuid import uuid4

import pytest

from infra.consumers import CommandConsumer, Forecast
from schemas.commands import CancelOrder, ConfirmOrder, DispatchStock, NotifyCustomer, ReserveStock, Sent
from tests.edges.write.messages import deliver, sent
from tests.edges.write.shop import Shop
from write_api.rehearsal import inbox

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]


async def rehearsed(shop: Shop, message: Sent) -> Forecast:
    async with inbox(shop.runtime.settings, shop.runtime.pool) as consumer:
        assert isinstance(consumer, CommandConsumer)
        return await consumer.rehearse(message)


async def test_what_would_be_carried_out_says_which_events(shop: Shop) -> None:
    order_id = await shop.place()
    before = await shop.topics()
    forecast = await rehearsed(shop, sent(shop, ConfirmOrder(order_id=order_id)))
    assert forecast.outcome == "succeed"
    assert forecast.changes == (f"adds order.confirmed.v1 v2 of {order_id}",)
    assert await shop.topics() == before


async def test_what_was_carried_out_is_recognised_by_its_id(shop: Shop) -> None:
    order_id = await shop.place()
    message = sent(shop, ConfirmOrder(order_id=order_id))
    await deliver(shop, message)
    forecast = await rehearsed(shop, message)
    assert (forecast.outcome, "already, at position" in forecast.says) == ("no_op", True)


async def test_what_was_edited_after_it_was_carried_out_conflicts(shop: Shop) -> None:
    reserve = ReserveStock(sku="COFFEE", order_id=uuid4(), quantity=1)
    await shop.post("/v1/stock/COFFEE/receipts", {"quantity": 5})
    message = sent(shop, reserve)
    await deliver(shop, message)
    edited = message.model_copy(update={"command": reserve.model_copy(update={"quantity": 2})})
    assert (await rehearsed(shop, edited)).outcome == "conflict"


async def test_what_another_message_has_done_leaves_nothing_to_do(shop: Shop) -> None:
    order_id = await shop.place()
    await deliver(shop, sent(shop, CancelOrder(order_id=order_id, reason="out_of_stock")))
    forecast = await rehearsed(shop, sent(shop, CancelOrder(order_id=order_id, reason="out_of_stock")))
    assert forecast == Forecast("no_op", "Nothing is left to do.")


async def test_a_refusal_is_a_conflict_with_its_code(shop: Shop) -> None:
    dispatch = DispatchStock(sku="COFFEE", order_id=uuid4(), shipment_id=uuid4(), quantity=1)
    forecast = await rehearsed(shop, sent(shop, dispatch))
    assert forecast.outcome == "conflict"
    assert forecast.says.startswith("stock-not-reserved: ")


async def test_another_tenants_order_is_not_seen(shop: Shop) -> None:
    order_id = await shop.place()
    message = sent(shop, ConfirmOrder(order_id=order_id)).model_copy(update={"tenant_id": "somebody-else"})
    assert (await rehearsed(shop, message)).says.startswith("order-not-found: ")


async def test_a_command_for_a_worker_would_fail(shop: Shop) -> None:
    notify = NotifyCustomer(order_id=uuid4(), template="order_confirmed", event_id=uuid4())
    assert (await rehearsed(shop, sent(shop, notify))).outcome == "fail"
