"""Carries out `orderflow audit verify`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from infra.audit import reading
from infra.audit.findings import Findings
from infra.audit.verify import Kept, Verifier, handed_out, opened
from infra.audit.verify_bundle import Checkpoint, Refused, open_note
from infra.commands.audit_place import Place, is_number, read_text
from infra.commands.failure import Failure
from infra.commands.platform_database import connected
from infra.commands.progress import progress

_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Order:
    place: Place
    since: str | None = None
    held: Sequence[Path] = ()


@dataclass(frozen=True, slots=True)
class Verified:
    origin: str | None
    events: int
    checkpoints: int
    since: int
    """Events that were left out, because of an earlier checkpoint."""
    signed_to: int
    """Position of the newest checkpoint."""
    unsigned: int
    """Events after it."""
    findings: Findings

    @property
    def well(self) -> bool:
        return self.findings.count == 0

    def told(self) -> dict[str, Any]:
        first = self.findings.first
        return {
            "well": self.well,
            "origin": self.origin,
            "events": self.events,
            "checkpoints": self.checkpoints,
            "since": self.since,
            "signed_to": self.signed_to,
            "unsigned": self.unsigned,
            "findings": self.findings.count,
            "first_bad_position": first.position if first else None,
            "examples": [asdict(each) for each in sorted(self.findings.kept)[:_SHOWN]],
        }

    def lines(self) -> Iterator[str]:
        after = f" after the first {self.since:,}" if self.since else ""
        yield f"{self.events:,} events{after} and {self.checkpoints:,} checkpoints of {self.origin or 'no origin'}."
        if self.unsigned:
            yield f"{self.unsigned:,} events after position {self.signed_to} are not signed yet: chains only."
        first = self.findings.first
        if first is None:
            yield "Nothing was touched."
            return
        yield f"TOUCHED: first bad position {first.position}; {self.findings.count:,} findings."
        for each in sorted(self.findings.kept)[:_SHOWN]:
            yield f"  {each.position:>10}  {each.what:<10}  {each.says}"
        if self.findings.count > _SHOWN:
            yield "  ..."


def carry_out(order: Order) -> Verified:
    """Show a bar on stderr while it takes its time; raises Failure."""
    given = [Path(order.since)] if order.since and not is_number(order.since) else []
    # Before the snapshot, so that whatever was handed out by now is kept in it.
    notes = {str(file): read_text(file) for file in [*_files(order.place), *order.held, *given]}
    with connected(order.place.dsn) as connection:
        reading.snapshot(connection)
        return _carry_out(order, connection, notes)


def _carry_out(order: Order, connection: reading.Connection, notes: Mapping[str, str]) -> Verified:
    findings = Findings()
    key, kept = order.place.public_key(), reading.kept(connection)
    if key is None and (kept or notes):
        raise Failure("Name the log's public key with --key, or its data folder with --data.")
    signed = opened(kept, key or "", findings)
    checkpoints = {name: _opened(name, note, key or "") for name, note in notes.items()}
    handed_out(checkpoints.items(), signed, findings)
    since = _since(order.since, checkpoints, signed)
    after = since[0].position if since else reading.START
    heads = reading.heads_before(connection, after) if since else {}
    if since and (there := reading.count_up_to(connection, after)) != since[0].size:
        says = f"Up to here the log has {there:,} events, and {since[0].size:,} were signed."
        findings.add(after, "changed", says)
    verifier = Verifier(signed, partial(reading.leaves_of, connection), findings, since, heads)
    total = reading.count_after(connection, after)
    with progress("events", total) as advance:
        for page in reading.pages(connection, after):
            verifier.take(page)
            advance(len(page))
    unsigned = verifier.finish()
    reading.look_at_head(connection, findings)
    return Verified(
        origin=key.split("+")[0] if key else None,
        events=verifier.chain.events,
        checkpoints=len(signed),
        since=since[0].size if since else 0,
        signed_to=signed[-1][0].position if signed else 0,
        unsigned=unsigned,
        findings=findings,
    )


def _files(place: Place) -> Sequence[Path]:
    return sorted(place.folder.glob("checkpoint-*.txt")) if place.folder else []


def _opened(name: str, note: str, key: str) -> Checkpoint:
    try:
        return open_note(note, key)
    except Refused as wrong:
        raise Failure(f"{name}: {wrong}") from wrong


def _since(
    asked: str | None, given: Mapping[str, Checkpoint], signed: Sequence[tuple[Checkpoint, Kept]]
) -> tuple[Checkpoint, Kept] | None:
    """Give where to begin: a checkpoint that is kept as it was given; of one that is not, all is verified."""
    if asked is None:
        return None
    if not is_number(asked):
        return next((each for each in signed if each[0] == given[str(Path(asked))]), None)
    found = next((each for each in signed if each[0].size == int(asked)), None)
    if found is None:
        raise Failure(f"The log keeps no checkpoint of {int(asked)} events.")
    return found
