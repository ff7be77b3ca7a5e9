"""Who can tell what was decided about a recorded history, and what would be decided now: found by name.

So whoever asks imports no service. Telling is pure: the same events give the same answer, and nothing is sent.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Final, Protocol
from uuid import UUID

from schemas.commands import Sent
from schemas.recorded import Recorded

PROCESSES: Final = "orderflow.processes"
"""Entry points, each named as the process; each names a `Process`."""
DECISIONS: Final = "orderflow.decisions"
"""Entry points, each naming a `Decisions`."""


@dataclass(frozen=True, slots=True)
class Differs:
    """A decision that would be another one now."""

    position: int
    stream_id: UUID
    version: int
    by: str
    """Who decides: an aggregate or a process."""
    recorded: str
    now: str


class Judge(Protocol):
    """Decides again, with the rules of this release, what was recorded. Keeps a state; use a new one for each log."""

    def hear(self, position: int, recorded: Recorded) -> Iterable[Differs]:
        """Take the next event of the log."""

    def end(self, settled_before: datetime) -> Iterable[Differs]:
        """Say what should have happened and did not, in histories in which nothing has happened since."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a process made of one message."""

    cause: UUID | None
    """The event; None for a deadline that has passed."""
    at: datetime
    """When its cause was recorded."""
    phase: str
    waiting_for: str
    """In a few words; empty when nothing is waited for."""
    moved: bool
    """Phase or wait are others than before."""
    sent: tuple[Sent, ...]


@dataclass(frozen=True, slots=True)
class Process:
    steps: Callable[[Sequence[Recorded]], list[Step]]
    """What the process does about the events of one order, in the order of the log; deadlines are inferred."""
    replies: Callable[[Sent], Mapping[UUID, str]]
    """The wire name of everything that a worker may answer to a command, by its message id."""
    judge: Callable[[], Judge]


@dataclass(frozen=True, slots=True)
class Decisions:
    judge: Callable[[], Judge]
    as_test: Callable[[Sequence[Recorded]], str]
    """The source of a test that expects what was decided about the events of one order; raises nothing."""


@lru_cache(1)
def processes() -> Mapping[str, Process]:
    """Give every process that is installed."""
    return {entry.name: entry.load() for entry in entry_points(group=PROCESSES)}


@lru_cache(1)
def decisions() -> Mapping[str, Decisions]:
    """Give all the rules that are installed."""
    return {entry.name: entry.load() for entry in entry_points(group=DECISIONS)}


def judges() -> list[Judge]:
    """Give a new judge of every kind."""
    makers = [each.judge for each in decisions().values()] + [each.judge for each in processes().values()]
    return [judge() for judge in makers]
