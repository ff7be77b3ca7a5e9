"""What the chains tell by themselves, without any checkpoint; and that cutting fields out is as good as parsing."""

import json
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.audit.chain import Chain, Head, Row
from infra.audit.findings import Findings
from schemas.recorded import GENESIS, encode
from tests.examples import EVENTS, recorded
from tests.infra.audit.rigs import with_holes

ROWS = [Row(each.position, each.stream_id.bytes, *each[2:]) for each in with_holes(12)]
SECOND = next(number for number, row in enumerate(ROWS) if row.version == 2)
"""The first that has a predecessor in its stream."""


def found(rows: Sequence[Row], *, wholly: bool = False) -> list[tuple[int, str]]:
    findings = Findings()
    Chain(findings).follow(rows, wholly=wholly)
    return [(each.position, each.what) for each in findings.kept]


def changed(number: int, **columns: object) -> list[Row]:
    return [*ROWS[:number], ROWS[number]._replace(**columns), *ROWS[number + 1 :]]  # type: ignore[arg-type]  # of a table


def state_with(number: int, **fields: object) -> bytes:
    told = {**json.loads(ROWS[number].state or b""), **fields}
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()


def test_an_untouched_log_is_chained() -> None:
    assert found(ROWS) == found(ROWS, wholly=True) == []


@pytest.mark.parametrize("wholly", [False, True])
@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ({"stream_id": bytes(16)}, "columns"),
        ({"version": 7}, "columns"),
        ({"topic": "order.completed.v1"}, "columns"),
        ({"topic": None}, "columns"),
        ({"state": None}, "unreadable"),
        ({"state": b""}, "unreadable"),
        ({"state": b"{}"}, "unreadable"),
        ({"state": b"[]"}, "unreadable"),
        ({"state": b"[" * 100_000}, "unreadable"),
        ({"state": b"\xff"}, "unreadable"),
        ({"state": state_with(0, stream_id=7)}, "unreadable"),
        ({"state": state_with(0, event={"type": "product.retired.v1"})}, "columns"),
        ({"state": state_with(0, category="order")}, "columns"),
        ({"state": state_with(0, version="1")}, "columns"),
        ({"state": state_with(0, version=2)}, "columns"),
        ({"state": state_with(0, prev="0" * 63 + "1")}, "chain"),
        ({"position": 0}, "position"),
        ({"position": -5}, "position"),
    ],
)
def test_what_is_wrong_with_an_event_is_found(columns: dict[str, object], what: str, *, wholly: bool) -> None:
    row = ROWS[0]._replace(**columns)  # type: ignore[arg-type]  # of a table
    assert (row.position, what) in found([row], wholly=wholly)


def test_an_event_at_the_place_of_another_is_found() -> None:
    assert found(changed(3, position=ROWS[2].position)) == [(ROWS[2].position, "position")]


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (lambda: [*ROWS[:SECOND], *ROWS[SECOND + 1 :]], "version"),
        (lambda: [*ROWS[: SECOND + 1], ROWS[SECOND]._replace(position=ROWS[SECOND].position + 1)], "version"),
        (
            lambda: [each for each in ROWS if each[:2] != (_first_of(SECOND).position, ROWS[SECOND].stream_id)],
            "version",
        ),
        (lambda: changed(ROWS.index(_first_of(SECOND)), state=_edited(SECOND)), "chain"),
    ],
)
def test_what_is_wrong_with_a_stream_is_found(edit: Callable[[], list[Row]], what: str) -> None:
    assert what in {told for _, told in found(edit())}


def _first_of(number: int) -> Row:
    return next(row for row in ROWS if row.stream_id == ROWS[number].stream_id)


def _edited(number: int) -> bytes:
    return state_with(ROWS.index(_first_of(number)), actor="user:mallory")


def test_a_gap_is_found_once_and_the_stream_goes_on_from_there() -> None:
    stream = [row for row in ROWS if row.stream_id == ROWS[-1].stream_id]
    assert len(stream) > 3
    assert found([stream[0], *stream[2:]]) == [(stream[2].position, "version")]


def test_a_stream_goes_on_from_the_head_that_is_known() -> None:
    first = _first_of(SECOND)
    findings = Findings()
    Chain(findings, {first.stream_id: Head(1, bytes.fromhex(GENESIS))}).follow([ROWS[SECOND]])
    assert [each.what for each in findings.kept] == ["chain"]


@given(st.sampled_from(EVENTS), st.integers(1, 3), st.data())
def test_cutting_fields_out_finds_what_parsing_finds(event: object, version: int, data: st.DataObject) -> None:
    fact = recorded(event, version)  # type: ignore[arg-type]  # one of EVENTS
    state = encode(fact)
    spaced = json.dumps(json.loads(state), indent=data.draw(st.sampled_from([None, 1])), sort_keys=True).encode()
    for each in (state, spaced):
        row = Row(4, fact.stream_id.bytes, version, fact.event.type, each)
        assert found([row]) == found([row], wholly=True) == ([] if version == 1 else [(4, "version")])
