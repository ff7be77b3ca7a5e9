"""The checker finds every broken promise by its number, and nothing else; and nothing where all are kept."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.event_log import Stored
from schemas.base import Trace
from schemas.upcasters import in_clear
from tests import examples as an
from tests.faults import log_promises
from tests.faults.checker import PROMISES, assert_kept, check
from tests.faults.evidence import DeadLetter, Evidence, Published, Recovery, Row, Told
from tests.faults.finding import report
from tests.faults.history import History, Look, request_id
from tests.faults.untouched import ORDER, a_call, a_mail, an_entry, untouched

Plant = Callable[[Evidence], Evidence]
STREAM = an.ORDER_ID


def changed(name: str, change: Callable[[Any], Any]) -> Plant:
    """Give the world with one kind of evidence changed."""

    def plant(evidence: Evidence) -> Evidence:
        new: Any = {name: change(getattr(evidence, name))}
        return replace(evidence, **new)

    return plant


def in_log(change: Callable[[list[Stored]], list[Stored]]) -> Plant:
    """Change the log, and the topics with it."""

    def plant(evidence: Evidence) -> Evidence:
        log = change(list(evidence.log))
        return replace(evidence, log=log, topics=[record_of(number, stored) for number, stored in enumerate(log)])

    return plant


def in_rows(table: str, change: Callable[[list[Row]], list[Row]], *, also_fold: bool = False) -> Plant:
    def plant(evidence: Evidence) -> Evidence:
        rows = change([dict(row) for row in evidence.views[table]])
        fold = {**evidence.fold, table: rows} if also_fold else evidence.fold
        return replace(evidence, views={**evidence.views, table: rows}, fold=fold)

    return plant


def twice(evidence: Evidence) -> Evidence:
    """Let a command without an answer have been carried out under two order ids, neither of which was acknowledged."""
    placing = next(stored for stored in evidence.log if stored.stream_id == STREAM)
    lost = {"actor": "user:ana", "trace": Trace(correlation_id=request_id("x"), causation_id=request_id("x"))}
    new = [an.recorded(an.repriced(), order_id=an.uuid(name), tenant_id=name).model_copy(update=lost) for name in "ab"]
    log = [*evidence.log, *(Stored.of(placing.position + 1_000 + n, each) for n, each in enumerate(new))]
    topics = [record_of(number, stored) for number, stored in enumerate(log)]
    calls = [*evidence.calls, a_call("x", None, "place", 0)]
    applied = {**evidence.applied, **{("shop_figures", each.stream_id): 1 for each in new}}
    return replace(evidence, log=log, topics=topics, calls=calls, applied=applied)


def record_of(number: int, stored: Stored) -> Published:
    return Published("orderflow", 0, number, str(stored.stream_id).encode(), stored.state)


def without_a_link(evidence: Evidence) -> Evidence:
    """Number the newest event of the stock one too high."""
    log = list(evidence.log)
    at = max(number for number, stored in enumerate(log) if stored.category == "stock")
    recorded = log[at].recorded
    log[at] = Stored.of(log[at].position, recorded.model_copy(update={"version": recorded.version + 1}))
    applied = {each: version + (each[1] == recorded.stream_id) for each, version in evidence.applied.items()}
    topics = [record_of(number, stored) for number, stored in enumerate(log)]
    rows = [
        {**row, "version": row["version"] + (row["event_id"] == str(recorded.event_id))}
        for row in evidence.views["order_timeline"]
    ]
    tables = {"order_timeline": rows}
    return replace(
        evidence,
        log=log,
        topics=topics,
        applied=applied,
        views={**evidence.views, **tables},
        fold={**evidence.fold, **tables},
    )


def the_order_events(log: Sequence[Stored]) -> list[int]:
    return [number for number, stored in enumerate(log) if stored.stream_id == STREAM]


def swapped(records: Sequence[Published]) -> list[Published]:
    """Swap the first two events of the order."""
    ours = [n for n, record in enumerate(records) if record.key == str(STREAM).encode()]
    found = list(records)
    found[ours[0]], found[ours[1]] = found[ours[1]], found[ours[0]]
    return found


def edited(log: list[Stored]) -> list[Stored]:
    """Let somebody else have placed the order. What follows it names another hash."""
    first = the_order_events(log)[0]
    recorded = log[first].recorded
    contact = in_clear(an.a_contact(name="Mallory"))
    event = recorded.event.model_copy(update={"contact": contact})
    return [
        *log[:first],
        Stored.of(log[first].position, recorded.model_copy(update={"event": event})),
        *log[first + 1 :],
    ]


def older(row: Row) -> Row:
    return {**row, "version": row["version"] - 1}


LETTER = DeadLetter(
    "command", "payments.work", None, None, an.uuid("message"), has_body=True, error="no", attempts=5, status="parked"
)
OTHER_ID = str(an.OTHER_ORDER_ID)

PLANTS: dict[str, tuple[int, Plant]] = {
    "acknowledged but lost": (
        1,
        changed("calls", lambda calls: [*calls, replace(calls[0], key="lost", answer="another")]),
    ),
    "refused but stored": (1, changed("calls", lambda calls: [a_call("place", None, "place", 409), *calls[1:4]])),
    "done and refused": (1, changed("calls", lambda calls: [*calls, a_call("ship", None, "ship", 409)])),
    "answered differently": (1, changed("calls", lambda calls: [*calls, replace(calls[0], answer="another")])),
    "answered with another place": (1, changed("calls", lambda calls: [replace(calls[0], position=10), *calls[1:]])),
    "unanswered but twice in the log": (1, twice),
    "a hole in the log": (2, without_a_link),
    "an event that no topic has": (2, changed("topics", lambda records: [*records[:5], *records[6:]])),
    "an event that only a topic has": (
        2,
        changed("topics", lambda records: [*records, replace(records[0], value=b"{}")]),
    ),
    "events out of order in a topic": (2, changed("topics", swapped)),
    "an event twice in a topic": (2, changed("topics", lambda records: [*records, records[0]])),
    "a stream in two partitions": (
        2,
        changed("topics", lambda records: [replace(records[0], partition=1), *records[1:]]),
    ),
    "a stream that only a topic has": (2, changed("topics", lambda records: [*records, replace(records[0], key=b"?")])),
    "a row of an older version": (2, in_rows("order_summaries", lambda rows: [older(rows[0])], also_fold=True)),
    "an event missing in the timeline": (2, in_rows("order_timeline", lambda rows: rows[1:], also_fold=True)),
    "an event twice in the timeline": (2, in_rows("order_timeline", lambda rows: [*rows, rows[0]], also_fold=True)),
    "a row that differs": (3, in_rows("stock_levels", lambda rows: [{**rows[0], "on_hand": 99}])),
    "a row too few": (3, in_rows("sales_hours", lambda rows: rows[1:])),
    "a row too many": (3, in_rows("products", lambda rows: [*rows, {"sku": "NONE"}])),
    "a figure that differs": (3, changed("dashboard", lambda _: {"orders_by_status": {"completed": 2}})),
    "an old answer": (3, changed("answers", lambda told: [replace(told[0], body=b'{"version":1}')])),
    "no answer": (3, changed("answers", lambda told: [replace(told[0], status=503)])),
    "an older version": (4, changed("looks", lambda looks: [*looks, Look("reader", looks[0].row, 9.0, 2, 99)])),
    "an older position": (4, changed("looks", lambda looks: [*looks, Look("reader", looks[0].row, 9.0, 9, 20)])),
    "charged twice": (5, changed("ledger", lambda entries: [*entries, an_entry("authorise", "again", 6_800)])),
    "charged without a word in the log": (
        5,
        changed("ledger", lambda entries: [*entries, an_entry("authorise", OTHER_ID, 1, payment_id=OTHER_ID)]),
    ),
    "charged less than the log tells": (
        5,
        changed("ledger", lambda entries: [entries[0], an_entry("capture", str(an.SHIPMENT_ID), 1), *entries[2:]]),
    ),
    "refunded more than charged": (
        5,
        changed("ledger", lambda entries: [*entries, an_entry("refund", "again", 6_800)]),
    ),
    "never charged": (5, changed("ledger", lambda entries: entries[:0])),
    "a void that the log does not tell": (
        5,
        changed("ledger", lambda entries: [*entries, an_entry("void", "void", 0)]),
    ),
    "a decline that the log does not tell": (
        5,
        changed("ledger", lambda entries: [*entries, an_entry("authorise", "no", 1, reference=None, code="declined")]),
    ),
    "not told": (6, changed("mails", lambda mails: mails[1:])),
    "told what did not happen": (6, changed("mails", lambda mails: [*mails, a_mail(99, an.uuid("nothing"))])),
    "told somebody else too": (6, changed("mails", lambda mails: [*mails, mails[0]])),
    "told again without need": (
        6,
        changed("mails", lambda mails: [mails[0].model_copy(update={"repeats": 1}), *mails[1:]]),
    ),
    "left in a queue": (7, changed("waiting", lambda _: {"payments.work": 1})),
    "parked": (7, changed("dead", lambda _: [LETTER])),
    "a dead letter without its body": (
        7,
        changed("dead", lambda _: [replace(LETTER, has_body=False, status="discarded")]),
    ),
    "an order stuck": (7, changed("phases", lambda _: {ORDER: "paying"})),
    "an order without a process": (7, changed("phases", lambda _: {})),
    "an event skipped": (
        7,
        changed("applied", lambda applied: {each: version - 1 for each, version in applied.items()}),
    ),
    "still behind": (8, changed("recovery", lambda _: Recovery(15.0, 15.0, ("order_views by 3",)))),
    "late": (8, changed("recovery", lambda _: Recovery(15.1, 15.0))),
    "a list that shows it": (
        9,
        changed("strangers", lambda _: [Told("/v1/orders", 200, f'{{"items":["{ORDER}"]}}'.encode())]),
    ),
    "an answer that differs": (
        9,
        changed("strangers", lambda _: [Told(f"/v1/orders/{ORDER}", 403, b'{"status":403}')]),
    ),
    "an edited event": (10, in_log(edited)),
}


@pytest.mark.parametrize("name", PLANTS)
def test_a_broken_promise_is_found_by_its_number(name: str) -> None:
    promise, plant = PLANTS[name]
    findings = check(plant(untouched()))
    assert {finding.promise for finding in findings} == {promise}, report(findings)


def test_what_was_published_later_to_fill_a_gap_may_stand_at_the_end_of_a_topic() -> None:
    repaired = changed("topics", lambda records: [*records[:1], *records[2:], replace(records[1], repaired=True)])
    assert_kept(repaired(untouched()))


def test_what_was_published_again_to_fill_a_gap_that_was_none_is_no_second_publication() -> None:
    assert_kept(changed("topics", lambda records: [*records, replace(records[0], repaired=True)])(untouched()))


def test_a_repeat_that_had_nothing_to_do_is_answered_with_what_is_there_by_then() -> None:
    evidence = untouched()
    own = [stored for stored in evidence.log if stored.stream_id == STREAM]
    repeats = [a_call("again", stored, "deliver", answer=f"version {stored.version}") for stored in own[-2:]]
    assert_kept(replace(evidence, calls=[*evidence.calls, *repeats]))


def test_nothing_is_found_where_all_promises_are_kept() -> None:
    assert_kept(untouched())


def test_every_promise_has_been_seen_broken() -> None:
    assert {promise for promise, _ in PLANTS.values()} == set(range(1, len(PROMISES) + 1))


def test_an_edit_that_cannot_be_found_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_promises, "is_chained", lambda _: True)
    assert {finding.promise for finding in check(untouched())} == {10}


def test_the_report_names_promise_kind_and_place() -> None:
    findings = check(in_rows("products", lambda rows: [*rows, {"sku": "NONE"}])(untouched()))
    assert report(findings) == 'promise 3: products has a row that the log does not give (1x): {"sku": "NONE"}'
    assert report([]) == "all ten promises are kept"


def test_the_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    history = History(tmp_path / "history.jsonl")
    assert history.calls() == []
    evidence = untouched()
    for call in evidence.calls:
        history.add(call)
    for look in evidence.looks:
        history.add(look)
    assert (history.calls(), history.looks()) == (evidence.calls, evidence.looks)
