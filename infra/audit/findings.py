"""What a check of the log finds, in the order of positions."""

from dataclasses import dataclass, field
from typing import Final, Literal

What = Literal[
    "unreadable",  # the stored bytes are not an event
    "columns",  # the columns do not say what the bytes say
    "position",  # not after the position before it
    "version",  # not the next one of its stream
    "chain",  # `prev` is not the hash of the stream's previous bytes
    "changed",  # not what was signed
    "missing",  # signed, and not there
    "added",  # at a position that had nothing when it was signed
    "checkpoint",  # a checkpoint, or what is kept with it, was changed or taken away
    "truncated",  # others have seen the log longer
]
_MOST: Final = 1_000


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    position: int
    what: What
    says: str


@dataclass(slots=True)
class Findings:
    """All are counted, and the first thousand are kept."""

    count: int = 0
    kept: list[Finding] = field(default_factory=list)

    def add(self, position: int, what: What, says: str) -> None:
        self.count += 1
        if len(self.kept) < _MOST:
            self.kept.append(Finding(position, what, says))

    @property
    def first(self) -> Finding | None:
        return min(self.kept, default=None)
