"""The history of an order as a test: it passes with the rules that made the history, and names nobody."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from process_managers.order_fulfilment import order_of
from schemas.events.order import OrderPlaced
from schemas.ids import payment_id, stock_id
from schemas.personal import Personal
from schemas.recorded import Recorded
from tests.domain.histories import Commands, history_of, of_a_payment, of_an_order
from tests.examples import (
    TENANT,
    a_contact,
    authorised,
    cancelled,
    captured,
    completed,
    confirmed,
    delivered,
    euros,
    history,
    placed,
    refund_requested,
    refunded,
    requested,
    shipped,
)
from tests.system.days import a_day
from tests.system.shop import PRICES
from write_api.as_test import as_test, impersonal

ROOT = Path(__file__).parents[2]
LIFE = history(
    placed(contact=a_contact('Zoë "Quote" O\\Neil', "zoe@secret.example")),
    *(requested(), authorised(), confirmed(), shipped(), captured(), delivered(), completed()),
    *(refund_requested(euros(100)), refunded(euros(100))),
)


def exported(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(source, "exported", "exec"), names)  # noqa: S102  # what is under test
    return {name: each for name, each in names.items() if name.startswith("test_")}


@given(of_an_order, of_a_payment)
@settings(max_examples=60)
def test_the_history_of_any_order_passes_as_a_test(of_order: Commands, of_payment: Commands) -> None:
    events = history_of(of_order)
    recorded = history(*events, *history_of(of_payment)) if events else LIFE
    tests = exported(as_test(recorded))
    assert len(tests) == len(recorded)
    for test in tests.values():
        test()


def test_a_history_that_the_rules_would_not_make_fails_as_a_test() -> None:
    tests = exported(as_test(history(placed(), cancelled(), confirmed())))
    tests["test_order_2_order_cancelled"]()
    with pytest.raises(AssertionError):
        tests["test_order_3_order_confirmed"]()


def test_it_runs_as_a_file_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "test_exported.py"
    file.write_text(as_test(LIFE), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    ran = subprocess.run(
        [*command, "--rootdir", str(ROOT), str(file)], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout
    assert f"{len(LIFE)} passed" in ran.stdout


def test_it_is_formatted_and_linted_as_the_others_are(tmp_path: Path) -> None:
    file = tmp_path / "test_exported.py"
    file.write_text(as_test(LIFE), encoding="utf-8")
    for check in (["format", "--check"], ["check", "--ignore", "INP001,S101,S106,S105"]):
        ruff = [sys.executable, "-m", "ruff", *check, "--config", str(ROOT / "pyproject.toml"), str(file)]
        ran = subprocess.run(ruff, cwd=ROOT, check=False, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr + file.read_text()


def test_nothing_personal_is_written() -> None:
    source, order = as_test(LIFE), LIFE[0].event
    assert isinstance(order, OrderPlaced)
    kept = {*order.contact.model_dump(exclude_none=True).values(), str(order.customer_id), "RR123456785PT"}
    assert not [each for each in kept if each in source]
    assert "Zo" not in source


@given(of_an_order)
def test_whatever_is_marked_as_personal_is_replaced(commands: Commands) -> None:
    for event in history_of(commands):
        for before, after in zip(_personal(event), _personal(impersonal(event)), strict=True):
            assert type(before) is type(after)
            assert before.model_dump(exclude_none=True).keys() == after.model_dump(exclude_none=True).keys()
            assert set(after.model_dump(exclude_none=True).values()).isdisjoint(before.model_dump().values())


def _personal(event: Any) -> list[Personal]:  # noqa: ANN401  # any event
    return [value for name in type(event).model_fields if isinstance(value := getattr(event, name), Personal)]


@pytest.mark.parametrize("seed", range(3))
def test_every_order_of_a_day_passes_as_a_test_with_its_stock(seed: int) -> None:
    log = a_day(seed)
    for order_id in {each.stream_id for each in log if each.category == "order"}:
        streams = [order_id, payment_id(order_id), *(stock_id(TENANT, sku) for sku in PRICES)]
        about = {each.event_id for each in log if order_of(each) == order_id}
        tests = exported(as_test([each for stream_id in streams for each in log if each.stream_id == stream_id]))
        assert len(tests) == len(about)
        for test in tests.values():
            test()


def only(category: str) -> list[Recorded]:
    return [recorded for recorded in LIFE if recorded.category == category]


def test_an_order_without_a_payment_is_told_as_well() -> None:
    assert set(exported(as_test(only("order")))) == {
        "test_order_1_order_placed",
        "test_order_2_order_confirmed",
        "test_order_3_order_shipped",
        "test_order_4_order_delivered",
        "test_order_5_order_completed",
    }
