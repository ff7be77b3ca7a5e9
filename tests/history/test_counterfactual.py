"""Everything that was ever recorded is decided now as it was then, and a rule that has changed is found."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.aggregates import AGGREGATES
from infra.event_log import Stored
from infra.histories import Differs, Judge
from infra.judging import judged
from process_managers.counterfactual import ProcessJudge
from process_managers.order_fulfilment import Reaction, react
from schemas.commands import Command, ConfirmOrder, ReleaseStock, ReserveStock, VoidPayment
from schemas.events.order import ContactErased, OrderPlaced
from schemas.events.stock import StockShort
from schemas.ids import payment_id
from schemas.recorded import decode
from tests.examples import LINES, ORDER_ID, cancelled, history, placed
from tests.schemas.corpus import GOLDEN
from tests.system.days import a_day
from write_api.counterfactual import AggregateJudge

HISTORIES = sorted(GOLDEN.glob("*.jsonl"))
A_DAY = GOLDEN / "a-day-of-orders.v1-v2.jsonl"


def stored(lines: Sequence[bytes]) -> list[Stored]:
    return [Stored.of(position, decode(line)) for position, line in enumerate(lines, 1)]


def found(log: Sequence[Stored], *by: Judge) -> list[Differs]:
    return list(judged(log, grace=0, by=by or (AggregateJudge(), ProcessJudge())))


@pytest.mark.parametrize("file", HISTORIES, ids=lambda file: file.name)
def test_the_rules_of_today_decide_the_corpus_as_it_was_decided(file: Path) -> None:
    log = stored(file.read_bytes().splitlines())
    judges: tuple[Judge, ...] = (AggregateJudge(),) if file != A_DAY else (AggregateJudge(), ProcessJudge())
    assert found(log, *judges) == []


@pytest.mark.parametrize("seed", range(20))
def test_a_day_is_decided_as_it_was(seed: int) -> None:
    assert found([Stored.of(position, each) for position, each in enumerate(a_day(seed), 1)]) == []


def test_a_day_has_something_of_everything() -> None:
    kinds = Counter(each.topic for each in stored(A_DAY.read_bytes().splitlines()))
    assert len(kinds) >= 15


def never_the_last_piece(state: Any, command: Any) -> list[Any]:  # noqa: ANN401  # of any aggregate
    events: list[Any] = AGGREGATES["stock"].decide(state, command)
    if isinstance(command, ReserveStock) and events and command.quantity >= state.available - 1:
        available = state.available
        return [StockShort(sku=command.sku, order_id=command.order_id, quantity=command.quantity, available=available)]
    return events


def a_rule_that_breaks(state: Any, command: Any) -> list[Any]:  # noqa: ANN401  # of any aggregate
    del state
    return [ReserveStock(sku=command.sku, order_id=ORDER_ID, quantity=0)]


def test_a_changed_rule_of_an_aggregate_is_found() -> None:
    stock = replace(AGGREGATES["stock"], decide=never_the_last_piece)
    differs = found(stored(A_DAY.read_bytes().splitlines()), AggregateJudge({**AGGREGATES, "stock": stock}))
    assert {(each.by, each.recorded, each.now) for each in differs} == {
        ("stock", "stock.reserved.v1", "stock.short.v1")
    }


def test_a_rule_that_breaks_is_found_and_does_not_end_the_search() -> None:
    stock = replace(AGGREGATES["stock"], decide=a_rule_that_breaks)
    log = stored(A_DAY.read_bytes().splitlines())
    differs = found(log, AggregateJudge({**AGGREGATES, "stock": stock}))
    assert {each.now for each in differs} == {"broken: ValidationError"}
    assert len(differs) == sum(each.category == "stock" for each in log)


def reacting(change: Callable[[tuple[Command, ...], Any], tuple[Command, ...]]) -> Callable[..., Reaction]:
    def changed(process: Any, message: Any, **given: Any) -> Reaction:  # noqa: ANN401  # as `react`
        reaction = react(process, message, **given)
        return replace(reaction, commands=change(reaction.commands, message))

    return changed


def test_a_process_that_no_longer_asks_is_found() -> None:
    def silent(commands: tuple[Command, ...], _: Any) -> tuple[Command, ...]:  # noqa: ANN401  # a message
        return tuple(each for each in commands if not isinstance(each, ConfirmOrder | ReleaseStock))

    differs = found(stored(A_DAY.read_bytes().splitlines()), ProcessJudge(reacting(silent)))
    assert {each.recorded for each in differs} == {"order.confirmed.v1", "stock.released.v1"}
    assert all(each.now.endswith("is not asked for") for each in differs)


def test_a_process_that_asks_for_more_is_found() -> None:
    def eager(commands: tuple[Command, ...], message: Any) -> tuple[Command, ...]:  # noqa: ANN401  # a message
        if isinstance(getattr(message, "event", None), OrderPlaced):
            order_id = message.stream_id
            return (*commands, VoidPayment(order_id=order_id, payment_id=payment_id(order_id)))
        return commands

    differs = found(stored(A_DAY.read_bytes().splitlines()), ProcessJudge(reacting(eager)))
    assert {(each.recorded, each.now) for each in differs} == {("nothing of the kind", "acquirer.void.v1 is asked for")}


def test_what_is_not_settled_yet_is_not_blamed() -> None:
    lines = A_DAY.read_bytes().splitlines()
    first = stored(lines)[: len(lines) // 2]
    assert list(judged(first, grace=10**9, by=(AggregateJudge(), ProcessJudge()))) == []


def test_a_customer_who_was_forgotten_after_an_order_had_ended_is_no_difference() -> None:
    forgotten = history(placed(), cancelled(*LINES), ContactErased())
    assert found([Stored.of(position, each) for position, each in enumerate(forgotten, 1)], AggregateJudge()) == []


def test_an_event_that_cannot_stand_where_it_stands_is_told_and_nothing_after_it() -> None:
    (confirmed, *_) = [each for each in stored(A_DAY.read_bytes().splitlines()) if each.topic == "order.confirmed.v1"]
    differs = found([confirmed, confirmed], AggregateJudge())
    assert [each.now for each in differs] == [
        "refused: order-not-found",
        "an event that cannot stand here; the rest of its stream is left out",
    ]


def test_an_event_that_cannot_be_read_is_told() -> None:
    (event, *_) = stored(A_DAY.read_bytes().splitlines())
    unreadable = Stored(event.position, event.stream_id, event.version, event.topic, b"{}")
    assert [each.now for each in found([unreadable])] == ["cannot be read"]
