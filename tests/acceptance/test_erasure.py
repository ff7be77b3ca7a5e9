"""A customer who asks for it is forgotten: nothing on any disk can be read any more, and history still holds."""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
import pytest

from infra.event_log import Stored
from tests.acceptance.driver import Person, Shop
from tests.faults.log_promises import is_chained
from tests.faults.platform import read_log
from tests.running import Up, command, environment, start, until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]

PLANTED: Final = {
    "name": "Quitéria Xylander",
    "email": "quiteria.xylander@planted.example",
    "phone": "+351911222333",
    "address": "Travessa do Esquecimento 77",
    "note": "ring twice at the Xylander door",
}
"""Nobody else has a word of it."""
WORDS: Final = ("Xylander", "xylander", "Esquecimento", "+351911222333", "ring twice")


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    started = start(tmp_path)
    try:
        yield started
    finally:
        started.stop()


def erased(up: Up, customer_id: str, folder: Path) -> subprocess.CompletedProcess[str]:
    asked = command("erase", "customer", customer_id, "--yes", "--ready-file", up.ready_file)
    return subprocess.run(
        [*asked, "--certificate", str(folder / "certificate.json")],
        capture_output=True,
        text=True,
        check=False,
        env=environment(folder),
    )


def readable(folder: Path, words: tuple[str, ...] = WORDS) -> list[tuple[str, str]]:
    """Give every file of a data folder in which a planted word stands, as text or as hex digits."""
    forms = {word: (word.encode(), word.encode().hex().encode(), word.encode("utf-16-le")) for word in words}
    files = [(path, path.read_bytes()) for path in folder.rglob("*") if path.is_file()]
    return [
        (str(path.relative_to(folder)), word)
        for path, content in files
        for word, each in forms.items()
        if any(form in content for form in each)
    ]


def place(customer: Person, sku: str) -> dict[str, Any]:
    body = {"contact": PLANTED, "lines": [{"sku": sku, "quantity": 1}], "payment_token": "tok_visa"}
    answer = customer.post("/v1/orders", body)
    assert answer.status_code == httpx.codes.CREATED, answer.text
    placed: dict[str, Any] = answer.json()
    return placed


def names(staff: Person, **params: str) -> list[str]:
    """Give the names that the list of orders shows, once what it was has been computed."""

    def listed() -> httpx.Response | None:
        answer = staff.ask("/v1/orders", **params)
        return None if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else answer

    return [row["customer_name"] for row in until(listed, 30).json()["items"]]


def test_nothing_of_a_customer_can_be_read_once_they_are_erased(up: Up, tmp_path: Path) -> None:
    with httpx.Client(timeout=20) as http:
        shop = Shop(http, up.ready, up.ready.tenant_id)
        sku, customer, staff = shop.product(stock=10), shop.customer("quiteria"), shop.staff
        order_id = place(customer, sku)["order_id"]
        detail = customer.until_status(order_id, "confirmed")
        assert detail["contact"] == PLANTED
        found = staff.ask("/v1/orders", q="xylan").json()["items"]
        assert [row["customer_name"] for row in found] == [PLANTED["name"]]
        customer_id = detail["customer_id"]

        refused = erased(up, customer_id, tmp_path)
        assert (refused.returncode, order_id in refused.stderr) == (1, True), refused.stderr
        customer.post(f"/v1/orders/{order_id}/cancellation", {}).raise_for_status()
        customer.until_status(order_id, "cancelled")
        then = datetime.now(UTC).isoformat()
        assert names(staff, as_of=then, q="xylan") == [PLANTED["name"]]

        done = erased(up, customer_id, tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        certificate = json.loads((tmp_path / "certificate.json").read_text())
        assert certificate["orders"] == [order_id]
        assert len(certificate["keys_destroyed"]) == 1
        assert not any(each["readable"] for each in certificate["checked"])

        detail = staff.ask(f"/v1/orders/{order_id}").json()
        assert detail["contact"] is None
        assert staff.ask("/v1/orders", q="xylander").json()["items"] == []
        assert (names(staff, as_of=then, q="xylan"), names(staff, as_of=then)) == ([], [""])
        again = erased(up, customer_id, tmp_path)
        assert again.returncode == 0, again.stderr
        assert json.loads((tmp_path / "certificate.json").read_text())["keys_destroyed"] == []

        next_id = place(customer, sku)["order_id"]
        assert customer.until_status(next_id, "confirmed")["contact"] == PLANTED
        customer.post(f"/v1/orders/{next_id}/cancellation", {}).raise_for_status()
        customer.until_status(next_id, "cancelled")
        assert erased(up, customer_id, tmp_path).returncode == 0
    log = read_log(up.ready.postgres_dsn)
    streams: dict[UUID, list[Stored]] = {}
    for stored in log:
        streams.setdefault(stored.stream_id, []).append(stored)
    assert all(map(is_chained, streams.values()))
    up.stop()
    assert readable(tmp_path / "data") == []
