"""A broken promise: which one, what was seen, and where."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """`promise` is its number in section 9 of the architecture."""

    what: str
    where: str = ""
    promise: ClassVar[int]


class NotExactlyOnce(Finding):
    promise = 1


class VersionsBroken(Finding):
    promise = 2


class ViewDiffers(Finding):
    promise = 3


class WentBackwards(Finding):
    promise = 4


class MoneyWrong(Finding):
    promise = 5


class MailWrong(Finding):
    promise = 6


class Dropped(Finding):
    promise = 7


class StillBehind(Finding):
    promise = 8


class Leaked(Finding):
    promise = 9


class HistoryEdited(Finding):
    promise = 10


def report(findings: Iterable[Finding]) -> str:
    """Give one line per promise and kind, with the first few places."""
    kinds: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    for finding in findings:
        kinds[finding.promise, finding.what].append(finding.where)
    lines = []
    for (promise, what), places in sorted(kinds.items()):
        shown = ", ".join(filter(None, places[:_SHOWN]))
        more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
        lines.append(f"promise {promise}: {what} ({len(places)}x): {shown}{more}")
    return "\n".join(lines) or "all ten promises are kept"
