"""Puts entries of a story in causal order, and says of each what caused it and how long that took."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from query_api.history.story_parts import StoryEntry

_FOREVER: Final = datetime.max.replace(tzinfo=UTC)
_LEAVES: Final = {"read_models": 0, "process_step": 1}
"""What causes nothing further is told before what does."""


def ordered(entries: Sequence[StoryEntry]) -> Iterator[StoryEntry]:
    """Give each entry after its cause and before what else came of that cause; the earliest first among equals."""
    effects: defaultdict[UUID | None, list[StoryEntry]] = defaultdict(list)
    by_id = {entry.entry_id: entry for entry in entries}
    for entry in entries:
        effects[entry.caused_by if entry.caused_by in by_id else None].append(entry)
    waiting = [(entry, 0) for entry in sorted(effects[None], key=_place, reverse=True)]
    while waiting:
        entry, depth = waiting.pop()
        cause = by_id.get(entry.caused_by) if entry.caused_by else None
        yield entry.model_copy(
            update={
                "depth": depth,
                "why": _why(cause),
                "elapsed": _elapsed(cause, entry),
                "caused_by": cause and cause.entry_id,
            }
        )
        waiting += [(effect, depth + 1) for effect in sorted(effects[entry.entry_id], key=_place, reverse=True)]


def _place(entry: StoryEntry) -> tuple[int, datetime]:
    return _LEAVES.get(entry.kind, 2), entry.at or _FOREVER


def _why(cause: StoryEntry | None) -> str:
    if cause is None:
        return "from outside"
    return (
        f"because {cause.who} asked"
        if cause.kind == "request"
        else f"because of {cause.name.replace('_', ' ') if cause.kind == 'deadline' else cause.name}"
    )


def _elapsed(cause: StoryEntry | None, entry: StoryEntry) -> float | None:
    return (entry.at - cause.at).total_seconds() if cause and cause.at and entry.at else None
