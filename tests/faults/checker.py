"""The ten promises of the platform, checked from outside: one function and one class of finding each."""

from collections.abc import Callable, Iterable
from typing import Final

from tests.faults.effect_promises import charged_once, nothing_dropped, told_once
from tests.faults.evidence import Evidence
from tests.faults.finding import Finding, report
from tests.faults.log_promises import history_is_chained, once_in_the_log, versions_without_holes
from tests.faults.view_promises import caught_up_in_time, equal_to_a_fresh_fold, never_backwards, unseen_by_others

PROMISES: Final[tuple[Callable[[Evidence], Iterable[Finding]], ...]] = (
    once_in_the_log,
    versions_without_holes,
    equal_to_a_fresh_fold,
    never_backwards,
    charged_once,
    told_once,
    nothing_dropped,
    caught_up_in_time,
    unseen_by_others,
    history_is_chained,
)
"""In the order of their numbers."""


def check(evidence: Evidence) -> list[Finding]:
    """Give every broken promise; an empty list means that all ten are kept."""
    return [finding for promise in PROMISES for finding in promise(evidence)]


def assert_kept(evidence: Evidence) -> None:
    findings = check(evidence)
    assert not findings, report(findings)
