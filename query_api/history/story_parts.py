"""What the story of an order is told in: one entry for each thing that happened, and what is waited for now."""

from typing import Any, Literal
from uuid import UUID

from query_api.reading import Page
from schemas.base import Instant
from schemas.views import Row, TimelineEntry

StoryKind = Literal["request", "deadline", "event", "command", "payment_attempt", "mail", "process_step", "read_models"]
StoryStatus = Literal["done", "waiting", "parked", "no_trace"]


class StoryEntry(Row):
    """Entries come in causal order: each after what caused it, and with all that it caused before the next one."""

    entry_id: UUID
    """Of the event or message; for the others, made from their cause."""
    caused_by: UUID | None
    """The entry that caused it; empty for what came from outside."""
    depth: int
    """How many causes it goes back to."""
    kind: StoryKind
    name: str
    """Wire name of an event or command, phase of a process, or who asked."""
    who: str
    """`user:<subject>`, `process:<name>`, `worker:<name>` or `projections`."""
    why: str
    """Its cause in a few words."""
    at: Instant | None
    """When it was done; empty when that is not known, or it is not done yet."""
    elapsed: float | None
    """Seconds since its cause."""
    status: StoryStatus = "done"
    """`no_trace`: it changed nothing, or is on its way over the broker."""
    facts: dict[str, Any]


class Waiting(Row):
    """Something that has still to happen, or to be mended by a person."""

    for_what: str
    since: Instant | None = None
    until: Instant | None = None
    """A deadline, or when it is tried again."""
    attempts: int | None = None
    error: str | None = None
    """Shown to staff alone."""


class Timeline(Page[TimelineEntry]):
    """The events of an order as a list to page through, and the whole story that they are part of."""

    story: tuple[StoryEntry, ...] = ()
    """Not paged; empty with `story=false`."""
    waiting: tuple[Waiting, ...] = ()
    """What the order waits for now; empty when it is done."""
