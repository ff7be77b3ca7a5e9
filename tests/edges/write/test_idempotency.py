import asyncio

import pytest

from tests.edges.write.shop import COFFEE, Shop, an_order

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]


async def test_a_repeat_gets_the_first_answer_byte_for_byte(shop: Shop) -> None:
    await shop.sell_coffee()
    first = await shop.post("/v1/orders", an_order(), key="once")
    again = await shop.post("/v1/orders", an_order(), key="once")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    replayed = dict(again.headers)
    assert replayed.pop("idempotency-replayed") == "true"
    assert replayed == dict(first.headers)


async def test_a_hundred_parallel_calls_with_one_key_place_one_order(shop: Shop) -> None:
    await shop.sell_coffee()
    answers = await asyncio.gather(*(shop.post("/v1/orders", an_order(), key="once") for _ in range(100)))
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert (await shop.topics()).count("order.placed.v2") == 1


async def test_a_hundred_parallel_changes_of_one_stream_with_one_key_are_one(shop: Shop) -> None:
    body = {"quantity": 5}
    answers = await asyncio.gather(*(shop.post("/v1/stock/COFFEE/receipts", body, key="once") for _ in range(100)))
    assert {answer.content for answer in answers} == {answers[0].content}
    assert await shop.topics() == ["stock.received.v1"]


async def test_another_body_under_the_same_key_is_refused(shop: Shop) -> None:
    await shop.sell_coffee()
    await shop.post("/v1/orders", an_order(quantity=1), key="once")
    other = await shop.post("/v1/orders", an_order(quantity=2), key="once")
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert (await shop.topics()).count("order.placed.v2") == 1


async def test_another_route_under_the_same_key_is_refused(shop: Shop) -> None:
    await shop.sell_coffee()
    await shop.post("/v1/stock/COFFEE/receipts", {"quantity": 1}, key="once")
    other = await shop.post("/v1/stock/TEA/receipts", {"quantity": 1}, key="once")
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")


async def test_another_key_used_for_what_would_be_refused_anyway_is_told_apart_from_a_refusal(shop: Shop) -> None:
    order_id = await shop.place()
    await shop.post("/v1/stock/COFFEE/receipts", {"quantity": 1}, key="once")
    other = await shop.post(f"/v1/orders/{order_id}/shipments", {"carrier": "CTT"}, key="once")
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")


async def test_the_key_of_another_caller_is_independent(shop: Shop) -> None:
    await shop.sell_coffee()
    mine = await shop.post("/v1/orders", an_order(), key="once")
    theirs = await shop.as_("bob").post("/v1/orders", an_order(quantity=9), key="once")
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["order_id"] != theirs.json()["order_id"]


async def test_the_key_of_another_tenant_is_independent(shop: Shop) -> None:
    elsewhere = shop.as_("ana", tenant_id=f"{shop.tenant_id}-other")
    answers = [await each.post("/v1/products", COFFEE, key="once") for each in (shop, elsewhere)]
    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, None]


async def test_a_refused_command_stores_nothing_so_its_key_can_be_used_again(shop: Shop) -> None:
    refused = await shop.post("/v1/orders", an_order(), key="once")
    await shop.sell_coffee()
    placed = await shop.post("/v1/orders", an_order(), key="once")
    assert (refused.status_code, placed.status_code) == (404, 201)


async def test_a_repeat_after_the_product_was_retired_still_gets_the_first_answer(shop: Shop) -> None:
    await shop.sell_coffee()
    first = await shop.post("/v1/orders", an_order(), key="once")
    await shop.post("/v1/products/COFFEE/retirement")
    assert (await shop.post("/v1/orders", an_order(), key="once")).content == first.content


async def test_a_repeat_of_a_cancellation_gets_the_first_answer_although_nothing_is_left_to_cancel(shop: Shop) -> None:
    order_id = await shop.place()
    first = await shop.post(f"/v1/orders/{order_id}/cancellation", key="once", version=1)
    again = await shop.post(f"/v1/orders/{order_id}/cancellation", key="once", version=1)
    assert (again.status_code, again.content) == (first.status_code, first.content) == (200, first.content)
    assert again.headers["idempotency-replayed"] == "true"


async def test_a_repeat_of_a_change_that_would_be_refused_by_now_gets_the_first_answer(shop: Shop) -> None:
    await shop.post("/v1/stock/COFFEE/receipts", {"quantity": 5})
    first = await shop.post("/v1/stock/COFFEE/adjustments", {"delta": -4, "reason": "loss"}, key="once")
    again = await shop.post("/v1/stock/COFFEE/adjustments", {"delta": -4, "reason": "loss"}, key="once")
    assert again.content == first.content
    assert await shop.topics() == ["stock.received.v1", "stock.adjusted.v1"]


async def test_a_repeat_of_what_has_become_so_again_gets_the_first_answer_not_the_present_state(shop: Shop) -> None:
    await shop.sell_coffee()
    first = await shop.post("/v1/products/COFFEE/retirement", key="once")
    await shop.sell_coffee()
    await shop.post("/v1/products/COFFEE/retirement")
    again = await shop.post("/v1/products/COFFEE/retirement", key="once")
    assert (again.content, again.json()["version"]) == (first.content, 2)


@pytest.mark.parametrize("key", ["", "with space", "x" * 256, "é", "tab\there"])
async def test_a_malformed_key_is_refused(shop: Shop, key: str) -> None:
    headers = {b"authorization": f"Bearer {shop.token}".encode(), b"idempotency-key": key.encode()}
    refused = await shop.client.post("/v1/products", json=COFFEE, headers=headers)
    assert (refused.status_code, refused.json()["type"]) == (400, "/problems/idempotency-key-malformed")
    assert await shop.events() == []


async def test_a_missing_key_is_refused(shop: Shop) -> None:
    refused = await shop.client.post("/v1/products", json=COFFEE, headers={"authorization": f"Bearer {shop.token}"})
    assert (refused.status_code, refused.json()["type"]) == (400, "/problems/idempotency-key-missing")


async def test_two_keys_are_refused(shop: Shop) -> None:
    refused = await shop.send(b"{}", ("idempotency-key", "another"), ("content-type", "application/json"))
    assert (refused.status_code, refused.json()["type"]) == (400, "/problems/idempotency-key-malformed")


async def test_a_key_of_255_characters_is_taken(shop: Shop) -> None:
    assert (await shop.post("/v1/products", COFFEE, key="~" * 255)).status_code == 201
