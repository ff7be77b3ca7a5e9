"""What was parked is seen, mended and put back with `orderflow dlq`, and payments are compared with `reconcile`."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from infra.cli import main
from infra.local.ready import Ready
from schemas.commands import ReleaseStock, Sent, encode, queue_of
from schemas.ids import new_id, stock_id
from tests.acceptance.driver import Json, Shop
from tests.command_examples import sent
from tests.running import until

COMMAND = (
    "INSERT INTO dead_letters (dead_letter_id, kind, consumer, message_id, body, error, attempts)"
    " VALUES (%s, 'command', %s, %s, %s, 'planted', 5)"
)
EVENT = (
    "INSERT INTO dead_letters (dead_letter_id, kind, consumer, stream_id, version, position, error, attempts)"
    " VALUES (%s, 'event', 'order_views', %s, %s, 0, 'planted', 3)"
)


@dataclass(frozen=True)
class Answer:
    exit_code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Json]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Answer]


@pytest.fixture
def orderflow(ready_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line, in this process because starting another takes longer than what it does."""
    monkeypatch.setenv("ORDERFLOW_READY_FILE", str(ready_file))

    def run(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["orderflow", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return Answer(int(ended.value.code or 0), told.out, told.err)

    return run


@pytest.fixture
def database(ready: Ready) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with psycopg.connect(ready.postgres_dsn, autocommit=True) as connection:
        yield connection
        connection.execute("UPDATE dead_letters SET status = 'discarded' WHERE error = 'planted' AND status = 'parked'")


@dataclass(frozen=True)
class Held:
    """A confirmed order, and a parked command that would release its stock."""

    order_id: UUID
    sku: str
    letter: str


@pytest.fixture
def held(shop: Shop, database: psycopg.Connection[tuple[Any, ...]]) -> Held:
    sku = shop.product(stock=5)
    order_id = shop.staff.place([(sku, 1)])
    shop.staff.until_status(order_id, "confirmed")
    return Held(order_id, sku, park(database, shop, ReleaseStock(sku=sku, order_id=order_id)))


def park(database: psycopg.Connection[tuple[Any, ...]], shop: Shop, command: ReleaseStock) -> str:
    message: Sent = sent(command, cause=new_id()).model_copy(update={"tenant_id": shop.tenant_id})
    letter = new_id()
    database.execute(COMMAND, (letter, queue_of(command), message.message_id, encode(message)))
    return str(letter)


def test_a_parked_command_is_seen_rehearsed_and_put_back_once(orderflow: Run, shop: Shop, held: Held) -> None:
    [listed] = orderflow("dlq", "list", "--kind", "command").lines
    assert listed["dead_letter_id"] == held.letter
    assert listed["what"] == f"stock.release.v1 for order {held.order_id}"
    rehearsed = orderflow("dlq", "retry", held.letter[-8:], "--dry-run")
    assert rehearsed.exit_code == 0
    assert [line["outcome"] for line in rehearsed.lines] == ["succeed"]
    assert shop.stock(held.sku) == (5, 1)
    assert orderflow("dlq", "retry", held.letter).lines[0]["outcome"] == "succeed"
    shop.until_stock(held.sku, (5, 0))
    assert orderflow("dlq", "retry", held.letter).lines[0]["outcome"] == "no_op"
    assert orderflow("dlq", "list", "--kind", "command").lines == []


def test_a_command_is_edited_and_what_it_said_first_is_kept(orderflow: Run, shop: Shop, held: Held) -> None:
    wrong = orderflow("dlq", "edit", held.letter, "--set", "command.sku=NOWHERE", "--reason", "a try")
    assert wrong.exit_code == 0, wrong.err
    [forecast] = orderflow("dlq", "retry", held.letter, "--dry-run").lines
    assert forecast["changes"] == [f"adds stock.released.v1 v1 of {stock_id(shop.tenant_id, 'NOWHERE')}"]
    assert orderflow("dlq", "edit", held.letter, "--set", f"command.sku={held.sku}").exit_code == 0
    [shown] = orderflow("dlq", "show", held.letter).lines
    assert (shown["message"]["command"]["sku"], shown["original"]["command"]["sku"]) == (held.sku, held.sku)
    assert [(each["action"], each["reason"]) for each in shown["actions"]] == [("edited", "a try"), ("edited", None)]
    assert all(each["actor"] for each in shown["actions"])
    orderflow("dlq", "retry", held.letter)
    shop.until_stock(held.sku, (5, 0))


def test_what_a_message_is_cannot_be_edited(orderflow: Run, held: Held) -> None:
    for change in (f"message_id={new_id()}", "tenant_id=another", "command.type=order.confirm.v1", "command.sku="):
        answer = orderflow("dlq", "edit", held.letter, "--set", change)
        assert (answer.exit_code, answer.out) == (3, ""), change
    [shown] = orderflow("dlq", "show", held.letter).lines
    assert shown["edited"] is False


def test_a_command_is_edited_in_an_editor(
    orderflow: Run, held: Held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\nsed -i s/{held.sku}/ELSEWHERE/ "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    assert orderflow("dlq", "edit", held.letter).lines[0]["message"]["command"]["sku"] == "ELSEWHERE"
    assert "Nothing was changed" in orderflow("dlq", "edit", held.letter).err


def test_a_discarded_command_keeps_the_reason(orderflow: Run, held: Held) -> None:
    assert orderflow("dlq", "discard", held.letter).exit_code == 2
    assert orderflow("dlq", "discard", held.letter, "--reason", "asked twice").exit_code == 0
    [shown] = orderflow("dlq", "show", held.letter).lines
    assert (shown["status"], shown["actions"][0]["reason"]) == ("discarded", "asked twice")


def test_a_parked_stream_waits_in_order_and_goes_on(
    orderflow: Run, shop: Shop, held: Held, database: psycopg.Connection[tuple[Any, ...]]
) -> None:
    letter = str(new_id())
    database.execute(EVENT, (letter, held.order_id, 3))
    parcel = shop.staff.done(f"/v1/orders/{held.order_id}/shipments", {"carrier": "Correio"})
    shop.staff.done(f"/v1/orders/{held.order_id}/shipments/{parcel['shipment_id']}/delivery")
    until(lambda: orderflow("dlq", "list", "--status", "waiting").lines or None)
    [shown] = orderflow("dlq", "show", letter).lines
    assert shown["message"]["event"]["type"] == "order.shipped.v1"
    assert [each["version"] for each in shown["waiting"]][:1] == [4]
    assert shop.staff.order(held.order_id)["status"] == "confirmed"
    rehearsed, *_ = orderflow("dlq", "retry", letter, "--dry-run").lines
    assert rehearsed["outcome"] == "succeed"
    assert any(change.startswith(f"changes order_details {held.order_id}: ") for change in rehearsed["changes"])
    assert orderflow("dlq", "edit", letter, "--set", "event.carrier=Other").exit_code == 3
    assert orderflow("dlq", "retry", letter).exit_code == 0
    shop.staff.until_status(held.order_id, "completed")


def test_a_table_is_for_people(orderflow: Run, held: Held) -> None:
    assert orderflow("dlq", "list", "--table").out.startswith("Dead letters")
    assert "stock.release.v1" in orderflow("dlq", "show", held.letter, "--table").out
    assert "What would happen" in orderflow("dlq", "retry", "--all", "--dry-run", "--table").out


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        pytest.param(("show", "abcdef01"), 1, id="unknown"),
        pytest.param(("retry",), 2, id="nothing named"),
        pytest.param(("retry", "abc", "--all"), 2, id="both named"),
        pytest.param(("list", "--dsn", "postgresql:///nothing?host=/nowhere"), 4, id="no database"),
    ],
)
def test_what_cannot_be_done_says_what_to_do(orderflow: Run, arguments: tuple[str, ...], exit_code: int) -> None:
    answer = orderflow("dlq", *arguments)
    assert (answer.exit_code, answer.out) == (exit_code, "")
    assert answer.err


def test_money_that_no_order_asked_for_is_found(orderflow: Run, shop: Shop) -> None:
    payment_id = new_id()
    body = {"amount": {"amount": 1_234, "currency": "EUR"}, "payment_token": "tok_visa"}
    shop.http.put(f"{shop.ready.acquirer_url}/payments/{payment_id}", json=body).raise_for_status()
    answer = orderflow("reconcile", "--grace", "0s")
    assert answer.exit_code == 1
    [finding] = [each for each in answer.lines[0]["findings"] if each["payment_id"] == str(payment_id)]
    assert (finding["kind"], finding["acquirer"]["amount"]) == ("charged_without_order", 1_234)
    later = orderflow("reconcile", "--grace", "1h").lines[0]
    assert str(payment_id) in [each["payment_id"] for each in later["in_flight"]]
