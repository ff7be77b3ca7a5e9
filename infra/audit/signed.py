"""Holds the log against what was signed of it: the events between one checkpoint and the next are a segment."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from infra.audit.findings import Findings
from infra.audit.merkle import WIDTH, Frontier, split
from infra.audit.verify_bundle import Checkpoint


class Leaves(NamedTuple):
    """What is kept beside a checkpoint of the events since the one before."""

    positions: Sequence[range]
    hashes: bytes


@dataclass(frozen=True, slots=True)
class Segment:
    """From one checkpoint, or from nothing, to the next. `grown_on` is the frontier of the former, and leads to it."""

    before: Checkpoint | None
    signed: Checkpoint
    grown_on: bytes

    @property
    def after(self) -> int:
        return self.before.position if self.before else 0

    def grown(self, hashes: Iterable[bytes]) -> Frontier | None:
        """Give the tree with these events, if it is the one that was signed."""
        tree = Frontier(self.before.size if self.before else 0, self.grown_on).extend(hashes)
        return tree if (tree.size, tree.root()) == (self.signed.size, self.signed.root) else None


def leads_to(checkpoint: Checkpoint, frontier: bytes) -> bool:
    """Say whether what is kept for the tree to grow on is what was signed."""
    return (
        len(frontier) == WIDTH * checkpoint.size.bit_count()
        and Frontier(checkpoint.size, frontier).root() == checkpoint.root
    )


def compare(
    segment: Segment, positions: Sequence[int], hashes: Sequence[bytes], kept: Leaves, found: Findings
) -> bytes | None:
    """Give what the tree goes on from when all is as it was signed, else add what is not.

    What is kept is believed as far as it leads to the signed root.
    """
    signed = segment.signed
    if tree := segment.grown(hashes):
        if kept.hashes != b"".join(hashes) or list(chain(*kept.positions)) != list(positions):
            says = f"What is kept with the checkpoint of {signed.size} events is not what it was made of."
            found.add(signed.position, "checkpoint", says)
        return bytes(tree)
    by = f"of the checkpoint of {signed.size} events"
    if len(kept.hashes) % WIDTH or not segment.grown(split(kept.hashes)):
        says = f"An event from here to position {signed.position} is not one {by}, and what is kept with it is changed."
        found.add(segment.after + 1, "changed", says)
        return None
    before = found.count
    for position, now, then in _differences(positions, hashes, kept):
        if now is None:
            found.add(position, "missing", f"The event at this position, one {by}, is gone.")
        elif then is None:
            found.add(position, "added", f"The event at this position is not one {by}.")
        else:
            found.add(position, "changed", f"The event at this position is not the one {by}.")
    if found.count == before:
        found.add(signed.position, "checkpoint", f"The positions {by} were changed.")
    return None


def _differences(
    positions: Sequence[int], hashes: Sequence[bytes], kept: Leaves
) -> Iterator[tuple[int, bytes | None, bytes | None]]:
    now = dict(zip(positions, hashes, strict=True))
    then = dict(zip(chain(*kept.positions), split(kept.hashes), strict=False))
    for position in sorted(now.keys() | then.keys()):
        if now.get(position) != then.get(position):
            yield position, now.get(position), then.get(position)
