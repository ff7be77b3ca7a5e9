"""What is answered about the past of a stream."""

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from query_api.history.difference import Change
from query_api.history.states import Snapshot, plain
from query_api.history.words import sentence
from schemas.base import Category, Instant
from schemas.views import Row


class PastPoint(Row):
    version: int
    """Of the stream."""
    recorded_at: Instant
    """When this version was decided."""
    event_id: UUID
    """The event that made it."""

    @classmethod
    def of(cls, snapshot: Snapshot) -> "PastPoint":
        last = snapshot.last
        return cls(version=last.version, recorded_at=last.occurred_at, event_id=last.event_id)


class PastState(Row):
    """What decisions were made on: the state that the rules of the domain keep. No personal field."""

    category: Category
    stream_id: UUID
    at: PastPoint
    state: dict[str, Any]

    @classmethod
    def of(cls, snapshot: Snapshot) -> "PastState":
        return cls(
            category=snapshot.last.category,
            stream_id=snapshot.last.stream_id,
            at=PastPoint.of(snapshot),
            state=plain(snapshot.state),
        )


class PatchOperation(Row):
    """One operation of a JSON Patch (RFC 6902)."""

    op: Literal["add", "remove", "replace"]
    path: str
    """JSON Pointer (RFC 6901) into the state."""
    value: Any = None
    """What is there afterwards; without a meaning for `remove`."""


class Difference(Row):
    category: Category
    stream_id: UUID
    before: PastPoint
    after: PastPoint
    patch: tuple[PatchOperation, ...]
    """Applied to the state `before`, gives the state `after`."""
    sentences: tuple[str, ...] = Field(examples=[["The status changed from placed to confirmed."]])
    """The same, one plain sentence for each operation."""

    @classmethod
    def of(cls, before: Snapshot, after: Snapshot, found: tuple[Change, ...]) -> "Difference":
        return cls(
            category=after.last.category,
            stream_id=after.last.stream_id,
            before=PastPoint.of(before),
            after=PastPoint.of(after),
            patch=tuple(PatchOperation(op=each.op, path=each.pointer, value=each.new) for each in found),
            sentences=tuple(map(sentence, found)),
        )
