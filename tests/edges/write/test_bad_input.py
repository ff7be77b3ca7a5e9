"""Whatever is not exactly an order is refused with a problem document, and nothing reaches the log."""

import json
from typing import Any, Final
from uuid import uuid4

import pytest

from infra.vault import Vault, contact_of
from schemas.commands import RecordAuthorisation, RecordCapture, RequestPayment
from schemas.events.order import Contact, OrderPlaced
from schemas.money import Money
from tests.edges.write.messages import deliver, sent
from tests.edges.write.raw import exchange
from tests.edges.write.shop import COFFEE, CONTACT, Shop, an_order
from tests.examples import uuid
from tests.vault import TENANTS

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

JSON: Final = ("content-type", "application/json")
CANARY: Final = "CANARY-7f3a"


def lines(**line: Any) -> dict[str, Any]:  # noqa: ANN401  # deliberately anything
    return an_order() | {"lines": [{"sku": "COFFEE", "quantity": 1} | line]}


def contact(**fields: Any) -> dict[str, Any]:  # noqa: ANN401  # deliberately anything
    return an_order() | {"contact": CONTACT | fields}


def nested(depth: int) -> bytes:
    return b'{"lines":' + b"[" * depth + b"]" * depth + b"}"


MALFORMED: Final = {
    "nothing": b"",
    "not JSON": b"{not json",
    "a second value": json.dumps(an_order()).encode() + b"{}",
    "nesting of 33": nested(32),
    "nesting of 900": nested(900),
    "nesting of 20,000": nested(20_000),
    "an integer of 5,000 digits": b'{"lines":[{"sku":"COFFEE","quantity":' + b"9" * 5_000 + b"}]}",
    "NaN": b'{"lines":[{"sku":"COFFEE","quantity":NaN}]}',
    "Infinity": b'{"lines":[{"sku":"COFFEE","quantity":Infinity}]}',
    "1E+999999": b'{"lines":[{"sku":"COFFEE","quantity":1E+999999}]}',
    "-Infinity": b'{"lines":[{"sku":"COFFEE","quantity":-Infinity}]}',
    "a repeated member": json.dumps(an_order())[:-1].encode() + b',"payment_token":"tok_other"}',
    "a repeated nested member": b'{"contact":{"name":"a","name":"b"}}',
    "invalid UTF-8": b'{"payment_token":"tok_\xff"}',
    "UTF-16": json.dumps(an_order()).encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(an_order()).encode(),
    "an overlong NUL": b'{"payment_token":"tok_\xc0\x80"}',
    "an array": b"[]",
    "a string": b'"order"',
    "null": b"null",
    "a number": b"7",
}

INVALID: Final[dict[str, Any]] = {
    "quantity 0": lines(quantity=0),
    "quantity -1": lines(quantity=-1),
    "quantity 1.5": lines(quantity=1.5),
    "quantity 1.0": lines(quantity=1.0),
    "quantity true": lines(quantity=True),
    "quantity as a string": lines(quantity="7"),
    "quantity null": lines(quantity=None),
    "quantity NaN as a string": lines(quantity="NaN"),
    "quantity Infinity as a string": lines(quantity="Infinity"),
    "quantity -Infinity as a string": lines(quantity="-Infinity"),
    "quantity 1E+999999 as a string": lines(quantity="1E+999999"),
    "quantity 1,000,001": lines(quantity=1_000_001),
    "quantity 2**31": lines(quantity=2**31),
    "quantity 2**63": lines(quantity=2**63),
    "quantity 2**70": lines(quantity=2**70),
    "no lines": an_order() | {"lines": []},
    "201 lines": an_order() | {"lines": [{"sku": f"S{n}", "quantity": 1} for n in range(201)]},
    "lines as an object": an_order() | {"lines": {"0": {"sku": "COFFEE", "quantity": 1}}},
    "SKU in lower case": lines(sku="coffee"),
    "SKU with NUL": lines(sku="COFFEE\0"),
    "SKU with a line break": lines(sku="COFFEE\n"),
    "SKU with a full-width twin": lines(sku="COFFE\uff25"),
    "SKU with a Cyrillic twin": lines(sku="COFFE\u0415"),
    "SKU with a character of four bytes": lines(sku="COFFEE\U0001f335"),
    "SKU of 65 characters": lines(sku="A" * 65),
    "SKU with a quote": lines(sku="A'; DROP TABLE"),
    "name with NUL": contact(name="a\0b"),
    "name with a lone surrogate": contact(name="a\ud800b"),
    "name with a surrogate pair the wrong way round": contact(name="\udc00\ud800"),
    "name with a bidirectional override": contact(name="a\u202eb"),
    "name with a zero-width space": contact(name="a\u200bb"),
    "name with a zero-width joiner": contact(name="a\u200db"),
    "name with a byte order mark": contact(name="a\ufeffb"),
    "name with a soft hyphen": contact(name="a\u00adb"),
    "name that nobody sees": contact(name="\u2060"),
    "name with a line separator": contact(name="a\u2028Bcc: x@example.org"),
    "name with CRLF": contact(name="Ana\r\nBcc: x@example.org"),
    "name with an escape": contact(name="\x1b[31m"),
    "name that is blank": contact(name="   "),
    "name of 121 characters": contact(name="x" * 121),
    "name that is a flood of combining characters": contact(name="a" + "\u0301" * 100),
    "name in the private use area": contact(name="\ue000"),
    "name as a number": contact(name=7),
    "address of 501 characters": contact(address="x" * 501),
    "e-mail with a line break": contact(email="ana@example.org\n"),
    "e-mail with CRLF and a header": contact(email="ana@example.org\r\nBcc: x@example.org"),
    "e-mail without a domain": contact(email="ana"),
    "e-mail of 10,000 characters": contact(email="a" * 10_000 + "@example.org"),
    "e-mail made to backtrack": contact(email="a@" + "a-" * 126 + "!"),
    "phone with letters": contact(phone="+351abc"),
    "payment token that is a card number": an_order() | {"payment_token": "4111111111111111"},
    "locale unknown": an_order() | {"locale": "xx"},
    "unknown member": an_order() | {"colour": "red"},
    "unknown nested member": contact(vat="1"),
    "price from the client": lines(unit_price=1),
    "total from the client": an_order() | {"total": {"amount": 1, "currency": "EUR"}},
    "status from the client": an_order() | {"status": "completed"},
    "tenant from the client": an_order() | {"tenant_id": "other"},
    "customer from the client": an_order() | {"customer_id": str(uuid4())},
    "version from the client": an_order() | {"version": 9},
    "paid_at from the client": an_order() | {"paid_at": "2030-01-01T00:00:00Z"},
    "_type_ from the client": an_order() | {"_type_": "x", "_data_": "y"},
    "_type_ in a line": lines(_type_="x", _data_="y"),
    "_type_ in the contact": contact(_type_="x", _data_="y"),
    "_type_ in place of a line": an_order() | {"lines": [{"_type_": "tuple_as_list", "_data_": []}]},
    "_type_ in place of a text": contact(name={"_type_": "uuid_hex", "_data_": "y"}),
    "_type_ in place of the contact": an_order() | {"contact": {"_type_": "x", "_data_": "y"}},
    "__faust in a line": lines(__faust={"ns": "os.system"}),
    "__faust in place of the contact": an_order() | {"contact": {"__faust": {"ns": "os.system"}}},
    "a missing member": {"contact": CONTACT},
}

PRICES: Final[dict[str, Any]] = {
    "a float": {"amount": 12.5, "currency": "EUR"},
    "a float that is whole": {"amount": 12.0, "currency": "EUR"},
    "three decimals": {"amount": 12.345, "currency": "EUR"},
    "half a cent": {"amount": 0.005, "currency": "EUR"},
    "yen with decimals": {"amount": 12.5, "currency": "JPY"},
    "NaN as a string": {"amount": "NaN", "currency": "EUR"},
    "Infinity as a string": {"amount": "Infinity", "currency": "EUR"},
    "1E+999999 as a string": {"amount": "1E+999999", "currency": "EUR"},
    "_type_ in place of money": {"_type_": "decimal_str", "_data_": "12.50"},
    "_type_ beside the amount": {"amount": 1250, "currency": "EUR", "_type_": "x", "_data_": "y"},
    "a decimal string": {"amount": "12.50", "currency": "EUR"},
    "a string": {"amount": "1250", "currency": "EUR"},
    "true": {"amount": True, "currency": "EUR"},
    "negative": {"amount": -1, "currency": "EUR"},
    "too large": {"amount": 10**15 + 1, "currency": "EUR"},
    "2**70": {"amount": 2**70, "currency": "EUR"},
    "an unknown currency": {"amount": 1, "currency": "XXX"},
    "a lower-case currency": {"amount": 1, "currency": "eur"},
    "no currency": {"amount": 1},
    "a bare number": 1250,
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_a_body_that_is_not_strict_json_is_refused(shop: Shop, name: str) -> None:
    await shop.sell_coffee()
    before = await shop.runtime.log.head()
    refused = await shop.send(MALFORMED[name], JSON)
    assert refused.status_code in {400, 422}
    assert refused.headers["content-type"] == "application/problem+json"
    assert await shop.runtime.log.head() == before


@pytest.mark.parametrize("name", INVALID)
async def test_an_order_that_has_not_its_form_is_refused(shop: Shop, name: str) -> None:
    await shop.sell_coffee()
    before = await shop.runtime.log.head()
    refused = await shop.send(json.dumps(INVALID[name]).encode(), JSON)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid")
    assert refused.json()["errors"]
    assert await shop.runtime.log.head() == before


@pytest.mark.parametrize("name", PRICES)
async def test_a_price_that_is_not_money_is_refused(shop: Shop, name: str) -> None:
    before = await shop.runtime.log.head()
    refused = await shop.send(json.dumps(COFFEE | {"price": PRICES[name]}).encode(), JSON, path="/v1/products")
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid")
    assert await shop.runtime.log.head() == before


async def test_a_price_of_1e999999_is_refused(shop: Shop) -> None:
    body = b'{"sku":"COFFEE","name":"Coffee","price":{"amount":1E+999999,"currency":"EUR"}}'
    assert (await shop.send(body, JSON, path="/v1/products")).status_code in {400, 422}
    assert await shop.events() == []


async def test_prices_of_several_currencies_cannot_be_in_one_order(shop: Shop) -> None:
    await shop.sell_coffee()
    await shop.post("/v1/products", {"sku": "TEA", "name": "Tea", "price": {"amount": 500, "currency": "USD"}})
    mixed = [{"sku": "COFFEE", "quantity": 1}, {"sku": "TEA", "quantity": 1}]
    refused = await shop.post("/v1/orders", an_order() | {"lines": mixed})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/currency-mismatch")


async def test_a_product_cannot_change_its_currency(shop: Shop) -> None:
    await shop.sell_coffee()
    refused = await shop.post("/v1/products/COFFEE/price", {"price": {"amount": 1, "currency": "JPY"}})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/currency-mismatch")


async def test_a_refund_in_another_currency_is_refused(shop: Shop) -> None:
    order_id = await shop.place()
    paid = Money(amount=2500, currency="EUR")
    for command in (
        RequestPayment(order_id=order_id, amount=paid, payment_token="tok_visa"),
        RecordAuthorisation(order_id=order_id, amount=paid, acquirer_reference="sim_1"),
        RecordCapture(order_id=order_id, capture_id=uuid4(), amount=paid),
    ):
        await deliver(shop, sent(shop, command))
    yen = {"amount": {"amount": 1, "currency": "JPY"}, "reason": "damaged"}
    refused = await shop.post(f"/v1/orders/{order_id}/refunds", yen)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/currency-mismatch")
    assert (await shop.topics())[-1] == "payment.captured.v1"


async def test_a_total_beyond_what_money_can_hold_is_refused(shop: Shop) -> None:
    await shop.post("/v1/products", COFFEE | {"price": {"amount": 10**15, "currency": "EUR"}})
    refused = await shop.post("/v1/orders", an_order(quantity=2))
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/order-total-too-large")


@pytest.mark.parametrize(
    "types",
    [
        [],
        ["text/plain"],
        ["application/xml"],
        ["application/x-www-form-urlencoded"],
        ["multipart/form-data; boundary=x"],
        ["application/json; charset=utf-16"],
        ["application/vnd.api+json"],
        ["application/json", "text/plain"],
    ],
)
async def test_another_content_type_is_refused(shop: Shop, types: list[str]) -> None:
    await shop.sell_coffee()
    refused = await shop.send(json.dumps(an_order()).encode(), *(("content-type", each) for each in types))
    assert (refused.status_code, refused.json()["type"]) == (415, "/problems/unsupported-media-type")
    assert await shop.topics() == ["product.listed.v1"]


async def test_a_compressed_body_is_refused(shop: Shop) -> None:
    refused = await shop.send(b"\x1f\x8b" + bytes(200), JSON, ("content-encoding", "gzip"))
    assert refused.status_code == 415


@pytest.mark.parametrize(
    "media_type", ["application/json", "application/json; charset=utf-8", 'APPLICATION/JSON;charset="UTF-8"']
)
async def test_json_in_utf_8_is_taken_however_it_is_called(shop: Shop, media_type: str) -> None:
    body = json.dumps(COFFEE, ensure_ascii=False).encode()
    assert (await shop.send(body, ("content-type", media_type), path="/v1/products")).status_code == 201


async def test_a_body_over_the_limit_is_refused_before_it_is_read(shop: Shop) -> None:
    head = b"content-type: application/json\r\ncontent-length: 30000000\r\n\r\n"
    refused = await exchange(shop, head)
    assert (refused.status, refused.json()["type"]) == (413, "/problems/body-too-large")
    assert refused.headers["connection"] == "close"


async def test_nesting_of_100_000_is_more_than_is_read(shop: Shop) -> None:
    refused = await shop.send(nested(100_000), JSON)
    assert (refused.status_code, refused.json()["type"]) == (413, "/problems/body-too-large")
    assert await shop.events() == []


async def test_a_name_with_characters_of_four_bytes_is_kept_whole(shop: Shop) -> None:
    await shop.sell_coffee()
    (await shop.send(json.dumps(contact(name="Ana \U0001f335")).encode(), JSON)).raise_for_status()
    stored = (await shop.events())[-1]
    assert isinstance(stored.recorded.event, OrderPlaced)
    vault = Vault(shop.runtime.pool, shop.runtime.signals, TENANTS)
    (kept,) = await vault.open(Contact, [(stored.recorded.event.contact, contact_of(stored.stream_id))])
    assert kept
    assert kept.name == "Ana \U0001f335"


@pytest.mark.parametrize(
    "body",
    [
        {"carrier": "CTT\r\nBcc: x@example.org"},
        {"carrier": "CTT", "tracking": "RR1\r\nX-Other: 1"},
        {"carrier": "CTT", "tracking": "RR1\n"},
    ],
)
async def test_a_line_break_reaches_no_mail_about_a_shipment(shop: Shop, body: dict[str, str]) -> None:
    refused = await shop.post(f"/v1/orders/{uuid4()}/shipments", body)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid")


async def test_a_chunked_body_over_the_limit_is_refused(shop: Shop) -> None:
    chunks = [b"4000\r\n" + b" " * 0x4000 + b"\r\n"] * 6
    head = b"content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    refused = await exchange(shop, head, *chunks)
    assert (refused.status, refused.json()["type"]) == (413, "/problems/body-too-large")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/products/coffee/price",
        "/v1/products/A%00B/price",
        "/v1/products/A%0d%0aSet-Cookie:x/price",
        "/v1/products/%ff/price",
        "/v1/orders/1/cancellation",
        "/v1/orders/00000000-0000-0000-0000-00000000000g/cancellation",
        "/v1/orders/..%2f..%2fetc/cancellation",
        f"/v1/orders/{uuid('nobody')}/shipments/x/delivery",
        "/v1/nothing",
        "/v1/orders/",
        "//v1/orders",
    ],
)
async def test_a_path_that_names_nothing_is_refused(shop: Shop, path: str) -> None:
    refused = await exchange(shop, b"content-length: 0\r\n\r\n", path=path)
    assert refused.status in {404, 422}
    assert refused.headers["content-type"] == "application/problem+json"


async def test_input_is_never_repeated_in_a_problem(shop: Shop) -> None:
    bodies: list[Any] = [
        contact(email=CANARY),
        contact(phone=CANARY),
        lines(sku=CANARY.lower()),
        an_order() | {"locale": CANARY, f"<{CANARY}>": 1},
        {CANARY: 1, "lines": CANARY},
    ]
    answers = [await shop.send(json.dumps(body).encode(), JSON) for body in bodies]
    answers.append(await shop.send(b'{"' + CANARY.encode(), JSON))
    assert {answer.status_code for answer in answers} == {400, 422}
    assert not [
        answer.text for answer in answers if CANARY.lower() in answer.text.lower().replace(f"/{CANARY.lower()}", "")
    ]


async def test_an_unknown_member_is_pointed_at_by_its_name(shop: Shop) -> None:
    refused = await shop.send(json.dumps(an_order() | {"colour": "red"}).encode(), JSON)
    assert refused.json()["errors"] == [{"pointer": "/colour", "detail": "is not known here"}]


async def test_a_wrong_value_is_pointed_at_by_its_place(shop: Shop) -> None:
    refused = await shop.send(json.dumps(contact(email="nobody")).encode(), JSON)
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/contact/email"]


async def test_a_list_is_not_called_too_short_for_what_is_wrong_in_it(shop: Shop) -> None:
    wrong, none = an_order() | lines(quantity=0), an_order() | {"lines": []}
    for body, pointer in ((wrong, "/lines/0/quantity"), (none, "/lines")):
        refused = await shop.send(json.dumps(body).encode(), JSON)
        assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]


async def test_a_method_that_is_not_offered_is_refused_with_those_that_are(shop: Shop) -> None:
    refused = await shop.client.put("/v1/orders")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert refused.json()["type"] == "/problems/method-not-allowed"
