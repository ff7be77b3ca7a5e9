"""Everything that a check may look at, as plain data: nothing here comes from inside a service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from infra.event_log import Stored
from infra.local.acquirer_ledger import Entry
from infra.local.caught_mail import Mail
from tests.faults.history import Call, Look

Row = Mapping[str, Any]
"""One row of a table as JSON."""


@dataclass(frozen=True, slots=True)
class Published:
    """One record of a topic, as a consumer gets it."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    repaired: bool = False
    """Published later to fill a gap, and marked so."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    kind: str
    consumer: str
    stream_id: UUID | None
    version: int | None
    message_id: UUID | None
    has_body: bool
    error: str
    attempts: int
    status: str


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody was answered by the query API."""

    path: str
    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Recovery:
    """How long it took until nothing was behind any more; what still was when patience ended."""

    seconds: float
    bound: float
    behind: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    """What was the last to catch up."""


@dataclass
class Evidence:
    calls: Sequence[Call] = ()
    looks: Sequence[Look] = ()
    log: Sequence[Stored] = ()
    topics: Sequence[Published] | None = None
    """In offset order per partition; None where there are no topics."""
    views: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    """The tables of the read models."""
    fold: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    """The same tables, made from the log alone."""
    dashboard: Row = field(default_factory=dict)
    dashboard_fold: Row = field(default_factory=dict)
    answers: Sequence[Told] = ()
    """Of the query API, about single orders: path `/v1/orders/<id>`."""
    applied: Mapping[tuple[str, UUID], int] = field(default_factory=dict)
    """The newest version that each subscription says to have applied of each stream that it wants."""
    wanted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Subscription to categories."""
    dead: Sequence[DeadLetter] = ()
    waiting: Mapping[str, int] = field(default_factory=dict)
    """What is left in the outbox and in queues, by name."""
    phases: Mapping[str, str] = field(default_factory=dict)
    """Order to the phase of its process."""
    ledger: Sequence[Entry] = ()
    mails: Sequence[Mail] = ()
    resends: int = 0
    """How many mails may have come more than once under the same Message-ID, because somebody was killed in between."""
    recovery: Recovery | None = None
    strangers: Sequence[Told] = ()
    """What another tenant was answered when it asked for ours."""
    unknown: Told | None = None
    """What the same stranger was answered for an order that does not exist."""
    secrets: frozenset[bytes] = frozenset()
    """Ids and addresses that only our tenant may see."""

    def streams(self) -> dict[UUID, list[Stored]]:
        """Give the log by stream, each in log order."""
        found: dict[UUID, list[Stored]] = {}
        for stored in self.log:
            found.setdefault(stored.stream_id, []).append(stored)
        return found
