import asyncio
from uuid import UUID

import httpx
import pytest

from query_api.stream import SlowReaders
from schemas.ids import new_id
from tests.edges.query.platform import CUSTOMER, Shop
from tests.edges.query.streaming import listening
from tests.examples import confirmed, listed, requested

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

STREAM = "/v1/stream"
A_STRANGER = UUID("00000000-0000-7000-8000-00000000beef")


async def test_a_change_is_told_once_the_order_list_shows_it(shop: Shop) -> None:
    async with listening(shop.platform.client, STREAM, shop.headers()) as stream:
        order_id = await shop.placed()
        heard = await stream.event()
        listed_now = await shop.platform.client.get("/v1/orders", headers=shop.headers())
    assert (heard.event, heard.data["order_id"], heard.data["type"]) == ("order", str(order_id), "order.placed.v2")
    assert (heard.data["status"], heard.data["version"], heard.data["position"]) == ("placed", 1, shop.position)
    assert [order["order_id"] for order in listed_now.json()["items"]] == [str(order_id)]


async def test_a_notice_names_no_person(shop: Shop) -> None:
    async with listening(shop.platform.client, STREAM, shop.headers()) as stream:
        await shop.placed(name="Zoë O'Neil")
        heard = await stream.event()
    assert set(heard.data) == {"order_id", "type", "version", "occurred_at", "status", "payment_status", "position"}


async def test_a_position_does_not_show_in_an_event_id(shop: Shop) -> None:
    async with listening(shop.platform.client, STREAM, shop.headers()) as stream:
        await shop.placed()
        heard = await stream.event()
    assert not heard.event_id.isdigit()
    assert len(heard.event_id) > 20


async def test_a_payment_is_told_as_a_change_of_its_order(shop: Shop) -> None:
    order_id = await shop.placed()
    async with listening(shop.platform.client, STREAM, shop.headers()) as stream:
        await shop.tell(requested(order_id=order_id))
        heard = await stream.event_of("payment.requested.v1")
    assert (heard.data["order_id"], heard.data["payment_status"]) == (str(order_id), "requested")


async def test_what_was_missed_is_told_when_the_stream_is_resumed(shop: Shop) -> None:
    async with listening(shop.platform.client, STREAM, shop.headers()) as stream:
        order_id = await shop.placed()
        heard = await stream.event()
    await shop.tell(confirmed(), order_id=order_id)
    await shop.tell(requested(order_id=order_id))
    async with listening(shop.platform.client, STREAM, shop.headers(), last_event_id=heard.event_id) as stream:
        types = [(await stream.event()).data["type"] for _ in range(2)]
    assert types == ["order.confirmed.v1", "payment.requested.v1"]


@pytest.mark.parametrize("token", ["0", "1234", "x" * 500, "AAAA"])
async def test_a_stream_that_cannot_be_resumed_is_told_to_read_anew(shop: Shop, token: str) -> None:
    await shop.placed()
    async with listening(shop.platform.client, STREAM, shop.headers(), last_event_id=token) as stream:
        assert (await stream.event()).event == "reset"


async def test_the_place_of_another_tenant_is_no_place_to_resume(shop: Shop, rival: Shop) -> None:
    async with listening(shop.platform.client, STREAM, shop.headers()) as stream:
        await shop.placed()
        heard = await stream.event()
    async with listening(shop.platform.client, STREAM, rival.headers(), last_event_id=heard.event_id) as stream:
        assert (await stream.event()).event == "reset"


async def test_a_customer_hears_of_the_own_orders_alone(shop: Shop, rival: Shop) -> None:
    headers = shop.headers("orders:read", subject=CUSTOMER)
    async with listening(shop.platform.client, STREAM, headers) as stream:
        await shop.placed(customer_id=A_STRANGER)
        await rival.placed()
        own = await shop.placed()
        assert (await stream.event()).data["order_id"] == str(own)


async def test_a_listener_to_one_order_hears_of_no_other(shop: Shop) -> None:
    order_id = await shop.placed()
    async with listening(shop.platform.client, f"{STREAM}?order_id={order_id}", shop.headers()) as stream:
        await shop.placed()
        await shop.tell(confirmed(), order_id=order_id)
        while (heard := await stream.event()).data["type"] != "order.confirmed.v1":
            assert heard.data["order_id"] == str(order_id)


async def test_an_unknown_order_is_as_silent_as_a_foreign_one(shop: Shop, rival: Shop) -> None:
    foreign = await rival.placed()
    firsts = []
    for order_id in (foreign, new_id()):
        async with listening(shop.platform.client, f"{STREAM}?order_id={order_id}", shop.headers()) as stream:
            firsts.append((stream.response.status_code, sorted(stream.response.headers)))
    assert firsts[0] == firsts[1]


async def test_other_facts_are_passed_over(shop: Shop) -> None:
    async with listening(shop.platform.client, STREAM, shop.headers()) as stream:
        await shop.tell(listed())
        order_id = await shop.placed()
        assert (await stream.event()).data["order_id"] == str(order_id)


async def test_streams_that_are_left_leave_nothing_running(shop: Shop) -> None:
    order_id = await shop.placed()
    before = {task.get_name() for task in asyncio.all_tasks()}
    for _ in range(20):
        async with listening(shop.platform.client, STREAM, shop.headers()):
            pass
    async with asyncio.timeout(5), listening(shop.platform.client, STREAM, shop.headers()) as stream:
        await shop.tell(confirmed(), order_id=order_id)
        await stream.event()
    async with asyncio.timeout(5):
        while len(asyncio.all_tasks()) > len(before) + 2:  # noqa: ASYNC110 - tasks do not tell when they end
            await asyncio.sleep(0.01)


async def test_a_stream_needs_the_scope_to_read_orders(shop: Shop) -> None:
    answer = await shop.platform.client.get(STREAM, headers=shop.headers("stock:manage"))
    assert answer.status_code == 403


async def test_a_reader_that_takes_nothing_is_dropped() -> None:
    sent: list[object] = []

    async def app(_scope: object, _receive: object, send: object) -> None:
        assert callable(send)
        await send("first")
        await send("never taken")

    async def send(message: object) -> None:
        if sent:
            await asyncio.Event().wait()
        sent.append(message)

    async with asyncio.timeout(5):
        await SlowReaders(app, seconds=0.01)({}, None, send)
    assert sent == ["first"]


async def test_asking_with_two_last_event_ids_is_no_crash(shop: Shop) -> None:
    headers = [*shop.headers().items(), ("last-event-id", "a"), ("last-event-id", "b")]
    async with shop.platform.client.stream("GET", STREAM, headers=headers) as answer:
        assert answer.status_code in {httpx.codes.OK, httpx.codes.UNPROCESSABLE_ENTITY}
