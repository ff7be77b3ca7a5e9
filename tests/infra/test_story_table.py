"""The story of an order can be read on the terminals that people have, the narrowest of which has 80 columns."""

from typing import Any

import pytest

from infra.commands.order_story import write_story

STORY: list[dict[str, Any]] = [
    {
        "at": "2026-03-02T12:00:00.000000Z",
        "elapsed": 0.04,
        "depth": 10,
        "kind": "event",
        "name": "payment.authorised.v1",
        "status": "done",
        "who": "worker:payment",
        "facts": {"version": 2, "amount": {"amount": 3300, "currency": "EUR"}},
    }
]


@pytest.mark.parametrize("width", [80, 100, 130, 200])
def test_names_people_and_facts_are_whole_however_wide_the_terminal_is(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    write_story("Order 1", STORY)
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) <= width
    told = " ".join(told.split())
    assert [
        whole for whole in ("payment.authorised.v1", "worker:payment", "40 ms", "33.00 EUR") if whole not in told
    ] == []
