"""Promises 3, 4, 8 and 9: what readers are shown."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.faults.evidence import Evidence, Row, Told
from tests.faults.finding import Leaked, StillBehind, ViewDiffers, WentBackwards
from tests.faults.history import Look


def equal_to_a_fresh_fold(evidence: Evidence) -> Iterator[ViewDiffers]:
    """3: every read model equals a fresh fold of the log, and the query API answers with it."""
    for table in evidence.views.keys() | evidence.fold.keys():
        kept, fresh = evidence.views.get(table, ()), evidence.fold.get(table, ())
        for row in _without(kept, fresh):
            yield ViewDiffers(f"{table} has a row that the log does not give", row)
        for row in _without(fresh, kept):
            yield ViewDiffers(f"{table} lacks a row that the log gives", row)
    for name, figure in evidence.dashboard_fold.items():
        if evidence.dashboard.get(name) != figure:
            yield ViewDiffers("the dashboard shows another figure", f"{name}: {evidence.dashboard.get(name)}, {figure}")
    details = {row["order_id"]: row for row in evidence.fold.get("order_details", ())}
    for told in evidence.answers:
        order_id = told.path.rpartition("/")[2]
        if told.status != 200 or not _is_row(json.loads(told.body), details.get(order_id, {})):
            yield ViewDiffers("the query API answers with something else", f"{told.path}: {told.status}")


def _without(rows: Sequence[Row], others: Sequence[Row]) -> list[str]:
    known = {json.dumps(row, sort_keys=True) for row in others}
    return [text for text in (json.dumps(row, sort_keys=True) for row in rows) if text not in known]


def _is_row(answer: Mapping[str, Any], row: Row) -> bool:
    return all(answer.get(name) == row.get(name, ...) for name in ("order_id", "status", "version", "position"))


def never_backwards(evidence: Evidence) -> Iterator[WentBackwards]:
    """4: no row that a reader looked at twice was older the second time."""
    last: dict[tuple[str, str], Look] = {}
    for look in evidence.looks:
        before = last.get((look.reader, look.row))
        if before and (look.version < before.version or look.position < before.position):
            seen = f"{before.version} at {before.position}, then {look.version} at {look.position}"
            yield WentBackwards("a reader saw an older row", f"{look.row}: {seen}")
        last[look.reader, look.row] = look


def caught_up_in_time(evidence: Evidence) -> Iterator[StillBehind]:
    """8: after a fault heals, lag returns to zero in the stated time."""
    recovery = evidence.recovery
    if recovery is None:
        return
    if recovery.behind:
        yield StillBehind(f"something is behind after {recovery.seconds:.0f} s", ", ".join(recovery.behind))
    elif recovery.seconds > recovery.bound:
        seconds = f"{recovery.seconds:.1f} s of {recovery.bound:.1f} s"
        yield StillBehind("it took too long", f"{seconds}, last {', '.join(recovery.last)}")


def unseen_by_others(evidence: Evidence) -> Iterator[Leaked]:
    """9: no tenant sees another's byte: the same answer for what is ours as for what is nowhere."""
    for told in evidence.strangers:
        for secret in evidence.secrets:
            if secret in told.body and secret.decode() not in told.path:
                yield Leaked("another tenant was shown something of ours", f"{told.path}: {secret.decode()}")
        if told.path.startswith("/v1/orders/") and evidence.unknown and not _alike(told, evidence.unknown):
            yield Leaked("another tenant can tell that our order exists", f"{told.path}: {told.status}")


def _alike(told: Told, unknown: Told) -> bool:
    """Compare all but what names the request itself."""
    return (told.status, _words(told.body)) == (unknown.status, _words(unknown.body))


def _words(body: bytes) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(body)
    return {name: value for name, value in said.items() if name not in ("instance", "request_id")}
