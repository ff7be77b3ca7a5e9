"""Questions that nobody asks in good faith: each is refused as malformed, changes nothing and tells nothing."""

import json

import pytest

from infra.problems import MEDIA_TYPE
from tests.edges.query.platform import CUSTOMER, Query, Shop
from tests.examples import uuid

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
MALFORMED: list[Query] = [
    {"sort": "placed_at;drop table order_summaries"},
    {"sort": "placed_at desc nulls first, (select 1)"},
    {"sort": "search_text"},
    {"sort": "--placed_at"},
    {"sort": ["placed_at", "evil"]},
    {"status": "'||pg_sleep(3)||'"},
    {"status": ["placed", "PLACED"]},
    {"payment_status": "none) OR (1=1"},
    {"customer_id": "x' OR '1'='1"},
    {"q": "coffee\x00"},
    {"q": "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")},
    {"q": "a" * 121},
    {"q": " "},
    {"limit": 0},
    {"limit": -1},
    {"limit": 201},
    {"limit": 2**70},
    {"limit": "1e3"},
    {"limit": "NaN"},
    {"min_position": -1},
    {"min_position": 2**63},
    {"min_position": "9" * 5000},
    {"min_position": "Infinity"},
    {"wait": "NaN"},
    {"wait": "inf"},
    {"wait": 5.01},
    {"wait": -0.1},
    {"placed_from": "yesterday"},
    {"placed_from": 1_700_000_000},
    {"placed_from": "2026-03-01T00:00:00"},
    {"placed_from": "2026-03-01"},
    {"placed_from": "0000-01-01T00:00:00Z"},
    {"placed_to": "99999-01-01T00:00:00Z"},
    {"placed_to": "9999-12-31T23:59:59-14:00"},
    {"placed_from": "0001-01-01T00:00:00+14:00"},
    {"cursor": ""},
    {"cursor": "a" * 513},
    {"cursor": "../../etc/passwd"},
    {"tenant_id": "other"},
    {"fields": "search_text"},
    {"sku[]": "x"},
]
A_SKU = ("*", "{orderflow:live}:generation", "a" * 65, "%00", "X%0d%0aSET%20a%20b", "x'--", "..%2f..%2fetc")


@pytest.mark.parametrize("query", MALFORMED, ids=repr)
async def test_a_malformed_question_is_refused(shop: Shop, query: Query) -> None:
    answer = await shop.get("/v1/orders", query={"min_position": 0, "wait": 0, **query})
    assert (answer.status_code, answer.headers["content-type"]) == (422, MEDIA_TYPE)
    assert not {"pg_sleep", "drop table", "passwd"} & set(answer.text.split())


@pytest.mark.parametrize("place", ["stock", "products"])
@pytest.mark.parametrize("sku", A_SKU)
async def test_a_sku_that_is_none_is_refused(shop: Shop, place: str, sku: str) -> None:
    answer = await shop.get(f"/v1/{place}/{sku}")
    assert answer.status_code in {404, 422}
    assert answer.headers["content-type"] == MEDIA_TYPE


@pytest.mark.parametrize("order_id", ["0", "not-a-uuid", "{}", "%00", "1;select", "a" * 4000])
async def test_an_order_id_that_is_none_is_refused(shop: Shop, order_id: str) -> None:
    answer = await shop.get(f"/v1/orders/{order_id}", query={"cursor": "x"})
    assert answer.status_code in {404, 422}
    assert answer.headers["content-type"] == MEDIA_TYPE


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("sales/hourly", {"from": "2026-01-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"}),
        ("sales/hourly", {"from": "2026-03-01T00:00:00Z"}),
        ("sales/hourly", {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}),
        ("sales/daily", {"from": "2024-01-01", "to": "2026-01-01"}),
        ("sales/daily", {"from": "2026-01-01", "to": "1767225600"}),
        ("sales/daily", {"from": "0001-01-01", "to": "0001-01-02"}),
        ("sales/daily", {"from": "9999-12-31", "to": "9999-12-31"}),
        ("sales/products", {"sku": "x' OR 1=1"}),
        ("processes", {"phase": "waiting'; drop"}),
        ("processes", {"overdue": "maybe"}),
        ("stock", {"available_below": 2**63}),
        ("dashboard", {"tenant": "other"}),
        ("stream", {"order_id": "*"}),
    ],
)
async def test_a_figure_out_of_bounds_is_refused(shop: Shop, path: str, query: Query) -> None:
    headers = shop.headers()
    answer = await shop.platform.client.get(f"/v1/{path}", params=query, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (422, MEDIA_TYPE)


@pytest.mark.parametrize("to", ["2999-12-31", "2999-12-30"])
async def test_the_last_day_of_the_calendar_is_no_crash(shop: Shop, to: str) -> None:
    answer = await shop.get("/v1/sales/daily", query={"from": "2999-12-01", "to": to})
    assert answer.status_code == 200


async def a_cursor(shop: Shop) -> str:
    await shop.placed()
    await shop.placed()
    return str((await shop.get("/v1/orders", query={"limit": 1})).json()["next_cursor"])


async def test_every_flipped_bit_of_a_cursor_is_refused(shop: Shop) -> None:
    cursor = await a_cursor(shop)
    for index, letter in enumerate(cursor):
        for bit in range(6):
            forged = cursor[:index] + ALPHABET[ALPHABET.index(letter) ^ (1 << bit)] + cursor[index + 1 :]
            answer = await shop.get("/v1/orders", query={"cursor": forged})
            assert (answer.status_code, answer.json()["type"]) == (400, "/problems/cursor-refused")


@pytest.mark.parametrize("query", [{"status": "placed"}, {"sort": "placed_at"}, {"q": "ana"}], ids=repr)
async def test_a_cursor_of_another_question_is_refused(shop: Shop, query: Query) -> None:
    answer = await shop.get("/v1/orders", query={"cursor": await a_cursor(shop), **query})
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/cursor-refused")


async def test_a_cursor_of_another_list_is_refused(shop: Shop) -> None:
    answer = await shop.get("/v1/products", query={"cursor": await a_cursor(shop)})
    assert answer.json()["type"] == "/problems/cursor-refused"


async def test_a_cursor_of_another_tenant_is_refused(shop: Shop, rival: Shop) -> None:
    answer = await rival.get("/v1/orders", query={"cursor": await a_cursor(shop)})
    assert answer.json()["type"] == "/problems/cursor-refused"


async def test_a_cursor_of_staff_is_refused_to_a_customer(shop: Shop) -> None:
    answer = await shop.get("/v1/orders", "orders:read", subject=CUSTOMER, query={"cursor": await a_cursor(shop)})
    assert answer.json()["type"] == "/problems/cursor-refused"


async def test_a_cursor_may_ask_for_another_size_of_page(shop: Shop) -> None:
    answer = await shop.get("/v1/orders", query={"cursor": await a_cursor(shop), "limit": 200})
    assert len(answer.json()["items"]) == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/orders", 405),
        ("DELETE", f"/v1/orders/{uuid('nobody')}", 405),
        ("GET", "/v1/nothing", 404),
        ("GET", "/x", 404),
    ],
)
async def test_what_is_not_offered_is_a_problem_document(shop: Shop, method: str, path: str, status: int) -> None:
    answer = await shop.platform.client.request(method, path, headers=shop.headers())
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE)
    assert json.loads(answer.text)["status"] == status
