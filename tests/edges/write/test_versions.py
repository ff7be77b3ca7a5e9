import asyncio
from uuid import uuid4

import httpx
import pytest

from tests.edges.write.shop import Shop

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]


def named(shop: Shop) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {shop.token}"), ("idempotency-key", "k")]


async def retire(shop: Shop, *if_match: str) -> httpx.Response:
    """Send each as a header line of its own."""
    headers = [*named(shop), *(("if-match", line) for line in if_match)]
    return await shop.client.post("/v1/products/COFFEE/retirement", headers=headers)


async def test_a_command_on_the_version_that_was_seen_is_carried_out(shop: Shop) -> None:
    order_id = await shop.place()
    cancelled = await shop.post(f"/v1/orders/{order_id}/cancellation", version=1)
    assert (cancelled.status_code, cancelled.headers["etag"]) == (200, '"2"')


async def test_a_command_on_another_version_is_refused_and_leaves_nothing(shop: Shop) -> None:
    order_id = await shop.place()
    refused = await shop.post(f"/v1/orders/{order_id}/cancellation", version=2)
    assert (refused.status_code, refused.json()["type"]) == (412, "/problems/version-mismatch")
    assert (await shop.topics())[-1] == "order.placed.v2"


async def test_a_version_of_what_does_not_exist_yet_is_refused(shop: Shop) -> None:
    refused = await shop.post("/v1/stock/COFFEE/receipts", {"quantity": 1}, version=1)
    assert refused.status_code == 412
    assert await shop.events() == []


async def test_of_many_changes_of_one_version_one_is_carried_out(shop: Shop) -> None:
    await shop.sell_coffee()
    prices = [{"price": {"amount": amount, "currency": "EUR"}} for amount in range(1, 21)]
    answers = await asyncio.gather(*(shop.post("/v1/products/COFFEE/price", price, version=1) for price in prices))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 19
    assert await shop.topics() == ["product.listed.v1", "product.repriced.v1"]


async def test_any_version_is_good_enough_for_a_star(shop: Shop) -> None:
    await shop.sell_coffee()
    assert (await retire(shop, "*")).status_code == 200


@pytest.mark.parametrize("given", ["1", "", ",", '"1', '"1" "2"', 'w/"1"', "W/1", '"1", 2', '"1 "', '*, "1"'])
async def test_a_malformed_if_match_is_refused(shop: Shop, given: str) -> None:
    await shop.sell_coffee()
    refused = await retire(shop, given)
    assert (refused.status_code, refused.json()["type"]) == (400, "/problems/if-match-malformed")
    assert await shop.topics() == ["product.listed.v1"]


@pytest.mark.parametrize(
    "given", ['"0"', '"-1"', '"+1"', '"01"', '"99999999999"', '"5be1a0"', '""', '"1,1"', '"2", "3"']
)
async def test_a_tag_that_this_api_never_gave_is_another_version(shop: Shop, given: str) -> None:
    await shop.sell_coffee()
    refused = await retire(shop, given)
    assert (refused.status_code, refused.json()["type"]) == (412, "/problems/version-mismatch")
    assert await shop.topics() == ["product.listed.v1"]


async def test_a_weak_tag_never_matches(shop: Shop) -> None:
    await shop.sell_coffee()
    assert (await retire(shop, 'W/"1"')).status_code == 412


@pytest.mark.parametrize("given", [['"2", "1"'], ['"2" ,\t"1",, W/"3"'], ['"2"', '"1"']])
async def test_one_of_several_versions_is_enough(shop: Shop, given: list[str]) -> None:
    await shop.sell_coffee()
    assert (await retire(shop, *given)).status_code == 200


async def test_a_tag_of_nothing_does_not_match_what_does_not_exist(shop: Shop) -> None:
    headers = [*named(shop), ("if-match", '"0"')]
    refused = await shop.client.post("/v1/stock/COFFEE/receipts", json={"quantity": 1}, headers=headers)
    assert (refused.status_code, await shop.events()) == (412, [])


async def test_who_saw_another_version_is_told_that_rather_than_what_the_rules_say(shop: Shop) -> None:
    await shop.sell_coffee()
    await shop.post("/v1/products/COFFEE/retirement")
    price = {"price": {"amount": 1, "currency": "EUR"}}
    assert (await shop.post("/v1/products/COFFEE/price", price, version=1)).status_code == 412
    assert (await shop.post("/v1/products/COFFEE/price", price, version=2)).status_code == 409


async def test_the_version_of_an_order_of_somebody_else_is_told_to_nobody(shop: Shop) -> None:
    order_id = await shop.place()
    bob = shop.as_("bob", "orders:write")
    foreign = [await bob.post(f"/v1/orders/{order_id}/cancellation", version=version) for version in (1, 2)]
    unknown = await bob.post(f"/v1/orders/{uuid4()}/cancellation", version=2)
    assert [answer.status_code for answer in foreign] == [404, 404]
    assert {answer.json()["detail"] for answer in foreign} == {unknown.json()["detail"]}
