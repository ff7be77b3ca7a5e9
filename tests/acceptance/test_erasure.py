"""A customer who asks for it is forgotten: nothing on any disk can be read any more, and history still holds."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
import psycopg
import pytest
import redis
from psycopg import sql

from infra.event_log import Stored
from infra.local.ready import Ready
from schemas.ids import new_id
from tests.acceptance.driver import Person, Shop
from tests.faults.brokers import read_topics
from tests.faults.log_promises import is_chained
from tests.faults.platform import PREFIX, read_log
from tests.running import command, environment, until

pytestmark = pytest.mark.timeout(240)

PLANTED: Final = {
    "name": "Quitéria Xylander",
    "email": "quiteria.xylander@planted.example",
    "phone": "+351911222333",
    "address": "Travessa do Esquecimento 77",
    "note": "ring twice at the Xylander door",
}
"""Nobody else has a word of it."""
PARKED: Final = (
    "INSERT INTO dead_letters (dead_letter_id, kind, consumer, message_id, body, error, attempts)"
    " VALUES (%s, 'command', 'payments', %s, %s, 'planted', 5)"
)
WORDS: Final = ("Xylander", "xylander", "Esquecimento", "+351911222333", "ring twice")


def erased(ready_file: Path, customer_id: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    asked = command("erase", "customer", customer_id, "--yes", "--ready-file", ready_file)
    return subprocess.run(
        [*asked, "--certificate", str(folder / "certificate.json"), *options],
        capture_output=True,
        text=True,
        check=False,
        env=environment(folder),
    )


def flush(ready: Ready) -> None:
    """Have the servers write to their folders what they hold in memory."""
    with psycopg.connect(ready.postgres_dsn, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    with redis.Redis.from_url(ready.redis_url) as client:
        client.save()


def places_of(words: tuple[str, ...], ready: Ready) -> set[tuple[str, str]]:
    """Give every file of the data folder and every topic in which a word stands, as text or as hex digits."""
    forms = {word: (word.encode(), word.encode().hex().encode(), word.encode("utf-16-le")) for word in words}
    found = set()
    for name, content in chain(files_in(ready.data_dir), records_of(ready)):
        found |= {(name, word) for word, each in forms.items() if any(form in content for form in each)}
    return found


def files_in(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Read every file; servers at work put some of them away meanwhile."""
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file():
                yield str(path.relative_to(folder)), path.read_bytes()


def records_of(ready: Ready) -> Iterator[tuple[str, bytes]]:
    """Read every topic as a consumer does: in Kafka's own files the records are compressed."""
    if ready.kafka_servers:
        for record in read_topics(ready.kafka_servers, PREFIX):
            yield record.topic, record.key + record.value


def place(customer: Person, sku: str) -> dict[str, Any]:
    body = {"contact": PLANTED, "lines": [{"sku": sku, "quantity": 1}], "payment_token": "tok_visa"}
    answer = customer.post("/v1/orders", body)
    assert answer.status_code == httpx.codes.CREATED, answer.text
    placed: dict[str, Any] = answer.json()
    return placed


def reveal(shop: Shop, reason: str, **asked: str) -> Person:
    """Have an auditor look at the orders with a reason, which is kept as it is."""
    auditor = shop.holder("rita", ("audit:read", "customers:erase"))
    headers = {b"authorization": f"Bearer {auditor.token}".encode(), b"reveal-reason": reason.encode()}
    answer = shop.http.get(f"{shop.ready.query_url}/v1/orders", params=asked, headers=headers)
    assert answer.is_success, answer.text
    assert answer.json()["items"][0]["customer_name"]
    return auditor


def names(staff: Person, **params: str) -> list[str]:
    """Give the names that the list of orders shows, once what it was has been computed."""

    def listed() -> httpx.Response | None:
        answer = staff.ask("/v1/orders", **params)
        return None if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else answer

    return [row["customer_name"] for row in until(listed, 30).json()["items"]]


def words_in(schema: str, order_id: str, ready: Ready) -> tuple[Any, ...] | None:
    """Give what an order can be found by in a version of the list."""
    query = sql.SQL("SELECT search_text FROM {} WHERE order_id = %s").format(sql.Identifier(schema, "order_summaries"))
    with psycopg.connect(ready.postgres_dsn) as connection:
        return connection.execute(query, (order_id,)).fetchone()


def test_what_can_still_be_read_is_certified_and_said(
    ready: Ready, ready_file: Path, http: httpx.Client, tmp_path: Path
) -> None:
    shop = Shop(http, ready, ready.tenant_id)
    left = "Beco da Memória 9"
    contact = {"name": "Memo Lasting", "email": "memo@lasting.example", "address": left}
    body = {"contact": contact, "lines": [{"sku": shop.product(), "quantity": 1}], "payment_token": "tok_declined"}
    customer, letter = shop.customer("memo"), new_id()
    order_id = customer.post("/v1/orders", body).json()["order_id"]
    detail = customer.until_status(order_id, "cancelled")
    reveal(shop, f"parcel left at {left}")
    with psycopg.connect(ready.postgres_dsn, autocommit=True) as connection:
        connection.execute(PARKED, (letter, letter, json.dumps({"address": left}, ensure_ascii=False).encode()))
        try:
            done = erased(ready_file, detail["customer_id"], tmp_path)
        finally:
            connection.execute("DELETE FROM dead_letters WHERE dead_letter_id = %s", (letter,))
    assert (done.returncode, "still be read in: dead_letters, audit_looks." in done.stderr) == (1, True), done.stderr
    certificate = json.loads((tmp_path / "certificate.json").read_text())
    assert [each["place"] for each in certificate["checked"] if each["readable"]] == ["dead_letters", "audit_looks"]


def test_nothing_of_a_customer_can_be_read_once_they_are_erased(
    ready: Ready, ready_file: Path, http: httpx.Client, tmp_path: Path
) -> None:
    shop = Shop(http, ready, ready.tenant_id)
    sku, customer, staff = shop.product(stock=10), shop.customer("quiteria"), shop.staff
    order_id = place(customer, sku)["order_id"]
    detail = customer.until_status(order_id, "confirmed")
    assert detail["contact"] == PLANTED
    found = staff.ask("/v1/orders", q="xylan").json()["items"]
    assert [row["customer_name"] for row in found] == [PLANTED["name"]]
    customer_id = detail["customer_id"]
    rebuild = command("projection", "rebuild", "order_summaries", "--data", str(ready.data_dir))
    subprocess.run(rebuild, check=True, env=environment(tmp_path))

    refused = erased(ready_file, customer_id, tmp_path)
    assert (refused.returncode, order_id in refused.stderr) == (1, True), refused.stderr
    customer.post(f"/v1/orders/{order_id}/cancellation", {}).raise_for_status()
    customer.until_status(order_id, "cancelled")
    then = datetime.now(UTC).isoformat()
    assert names(staff, as_of=then, q="xylan") == [PLANTED["name"]]
    auditor = reveal(shop, "complaint 4711", q="xylan")
    refused = erased(ready_file, customer_id, tmp_path, "--token", auditor.token)
    assert (refused.returncode, "orders:manage" in refused.stderr) == (1, True), refused.stderr

    done = erased(ready_file, customer_id, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    certificate = json.loads((tmp_path / "certificate.json").read_text())
    assert certificate["orders"] == [order_id]
    assert len(certificate["keys_destroyed"]) == 1
    assert not any(each["readable"] for each in certificate["checked"])

    detail = staff.ask(f"/v1/orders/{order_id}").json()
    assert detail["contact"] is None
    assert staff.ask("/v1/orders", q="xylander").json()["items"] == []
    assert names(staff, as_of=then, q="xylan") == []
    assert "" in names(staff, as_of=then, customer_id=customer_id)
    assert words_in("rebuilt", order_id, ready) == words_in("public", order_id, ready)
    again = erased(ready_file, customer_id, tmp_path)
    assert (again.returncode, "No value was searched for" in again.stdout) == (0, True), again.stderr
    assert json.loads((tmp_path / "certificate.json").read_text())["keys_destroyed"] == []

    next_id = place(customer, sku)["order_id"]
    assert customer.until_status(next_id, "confirmed")["contact"] == PLANTED
    customer.post(f"/v1/orders/{next_id}/cancellation", {}).raise_for_status()
    customer.until_status(next_id, "cancelled")
    assert erased(ready_file, customer_id, tmp_path).returncode == 0

    streams: dict[UUID, list[Stored]] = {}
    for stored in read_log(ready.postgres_dsn):
        streams.setdefault(stored.stream_id, []).append(stored)
    assert all(map(is_chained, streams.values()))
    flush(ready)
    assert places_of(WORDS, ready) == set()
    stands_in = {name for name, _ in places_of((order_id,), ready)}
    assert not ready.kafka_servers or f"{PREFIX}.order" in stands_in, "the search itself would find nothing"
    assert any(name.startswith("postgres") for name in stands_in), "the search itself would find nothing"
