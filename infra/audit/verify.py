"""Verifies a log: a function over its rows and its checkpoints, wherever they come from."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from infra.audit.chain import Chain, Head, Row
from infra.audit.findings import Findings
from infra.audit.signed import Leaves, Segment, compare, leads_to
from infra.audit.verify_bundle import Checkpoint, Refused, open_note


@dataclass(frozen=True, slots=True)
class Kept:
    """One row of the table of checkpoints, without its leaves; what the note says is known once it was opened."""

    size: int
    position: int
    note: str
    frontier: bytes


def opened(kept: Iterable[Kept], key: str, findings: Findings) -> list[tuple[Checkpoint, Kept]]:
    """Give the checkpoints that this key has signed, the smallest first; the others are findings."""
    good = list[tuple[Checkpoint, Kept]]()
    for each in kept:
        try:
            checkpoint = open_note(each.note, key)
        except Refused as wrong:
            findings.add(each.position, "checkpoint", f"The checkpoint of {each.size} events: {wrong}")
            continue
        if (checkpoint.size, checkpoint.position) != (each.size, each.position):
            says = f"The checkpoint kept for {each.size} events is one of {checkpoint.size}."
            findings.add(each.position, "checkpoint", says)
        elif not leads_to(checkpoint, each.frontier):
            says = f"What is kept to go on from the checkpoint of {each.size} events was changed."
            findings.add(each.position, "checkpoint", says)
            good.append((checkpoint, each))
        else:
            good.append((checkpoint, each))
    return good


def handed_out(
    notes: Iterable[tuple[str, Checkpoint]], kept: Sequence[tuple[Checkpoint, Kept]], findings: Findings
) -> None:
    """Compare what was given away, by name, with what is kept: everything signed has to be."""
    known = {checkpoint.size: checkpoint for checkpoint, _ in kept}
    for name, note in notes:
        mine = known.get(note.size)
        if mine is None:
            says = f"{name}: a checkpoint of {note.size} events was signed, and the log keeps it no more."
            findings.add(note.position, "checkpoint", says)
        elif mine != note:
            says = f"{name}: another checkpoint of {note.size} events was signed: the log was rewritten."
            findings.add(note.position, "checkpoint", says)


class Verifier:
    """Takes the pages of the log in the order of positions, then `finish`."""

    def __init__(
        self,
        signed: Sequence[tuple[Checkpoint, Kept]],
        leaves_of: Callable[[int], Leaves],
        findings: Findings,
        since: tuple[Checkpoint, Kept] | None = None,
        heads: dict[bytes, Head] | None = None,
    ) -> None:
        """`leaves_of` gives what is kept of the segment that ends with the checkpoint of a size.

        With `since`, one of those signed, begin after it; `heads` are what the streams that go on had before.
        """
        self.chain = Chain(findings, heads)
        self._findings = findings
        self._leaves_of = leaves_of
        self._before = since[0] if since else None
        self._grown_on: bytes | None = since[1].frontier if since else b""
        self._waiting = [each for each in signed if since is None or each[0].size > since[0].size]
        self._positions: list[int] = []
        self._hashes: list[bytes] = []
        self._unsigned = 0
        self._signed_to = signed[-1][0].position if signed else 0

    def take(self, rows: Sequence[Row]) -> None:
        positions = [row[0] for row in rows]
        end = bisect_right(positions, self._signed_to)
        self._hashes += self.chain.follow(rows[:end])
        self._positions += positions[:end]
        self._unsigned += len(self.chain.follow(rows[end:], wholly=True))
        while self._waiting and positions and positions[-1] >= self._waiting[0][0].position:
            self._close()

    def finish(self) -> int:
        """Close what is open; gives how many events at the end no checkpoint is of."""
        while self._waiting:
            self._close()
        return self._unsigned

    def _close(self) -> None:
        checkpoint, kept = self._waiting.pop(0)
        end = bisect_right(self._positions, checkpoint.position)
        positions, hashes = self._positions[:end], self._hashes[:end]
        del self._positions[:end], self._hashes[:end]
        grown: bytes | None = None
        if self._grown_on is not None:
            segment = Segment(self._before, checkpoint, self._grown_on)
            grown = compare(segment, positions, hashes, self._leaves_of(checkpoint.size), self._findings)
        self._grown_on = grown or (kept.frontier if leads_to(checkpoint, kept.frontier) else None)
        self._before = checkpoint
