"""Carries out `orderflow audit export`."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from infra.audit import bundle, reading
from infra.audit.findings import Findings
from infra.audit.selecting import Chosen, NothingThere, between, of_customer, of_order
from infra.audit.verify import Kept, opened
from infra.audit.verify_bundle import Checkpoint, Refused, check, open_note
from infra.commands.audit_place import Place, is_number, read_text
from infra.commands.audit_sign import sign
from infra.commands.failure import Failure
from infra.commands.platform_database import connected
from infra.commands.progress import progress


@dataclass(frozen=True, slots=True)
class Order:
    """One of the first three; `checkpoint` is a file or a number of events, `out` a folder or a .zip."""

    order_id: UUID | None
    customer_id: UUID | None
    first: str | None
    last: str | None
    checkpoint: str | None
    out: Path | None


@dataclass(frozen=True, slots=True)
class Exported:
    out: Path
    events: int
    streams: int
    checkpoint: Checkpoint

    def told(self) -> dict[str, Any]:
        size, position = self.checkpoint.size, self.checkpoint.position
        signed = {"size": size, "position": position}
        return {"bundle": str(self.out), "events": self.events, "streams": self.streams, "checkpoint": signed}


def carry_out(order: Order, place: Place) -> Exported:
    """Export, and check what was exported as an outsider would before it is written. Raises Failure."""
    with connected(place.dsn) as connection:
        try:
            chosen = _chosen(order, connection)
            signed = _signed(order, place, chosen, connection)
            kept = [reading.leaves_of(connection, each.size) for each in reading.kept(connection)]
            with progress("proofs", len(chosen.events)) as advance:
                files = bundle.build(chosen, signed, kept, advance)
            checked = check(files, signed.key)
        except NothingThere as nothing:
            raise Failure(str(nothing)) from nothing
        except (Refused, ValueError, IndexError) as wrong:
            says = str(wrong) if isinstance(wrong, Refused) else "An event is not as it was signed."
            raise Failure(f"{says} Nothing was exported: run `orderflow audit verify`.") from wrong
    out = order.out or Path(f"evidence-{'-'.join(f'{name}-{value}' for name, value in chosen.asked.items())}.zip")
    try:
        bundle.write(files, out)
    except FileExistsError as there:
        raise Failure(f"{out} is there already. Name another place with --out.") from there
    except OSError as error:
        raise Failure(f"{out} cannot be written: {error.strerror}.") from error
    return Exported(out, len(checked.places), len(checked.streams), signed.checkpoint)


def _chosen(order: Order, connection: reading.Connection) -> Chosen:
    asked = [each for each in (order.order_id, order.customer_id, order.first) if each is not None]
    if len(asked) != 1 or (order.last is not None and order.first is None):
        raise Failure("Name what to export: --order, --customer, or --from with or without --until.")
    if order.order_id is not None:
        return of_order(connection, order.order_id)
    if order.customer_id is not None:
        return of_customer(connection, order.customer_id)
    return between(connection, _bound(order.first or ""), _bound(order.last) if order.last is not None else None)


def _bound(text: str) -> int | datetime:
    if is_number(text):
        return int(text)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise Failure(f"{text!r} is neither a position nor an instant such as 2026-03-02T12:00:00Z.")
    return instant


def _signed(order: Order, place: Place, chosen: Chosen, connection: reading.Connection) -> bundle.Signed:
    """Give the checkpoint to prove with: the named one, else the first that holds all of it.

    Signs the log when none does and the key is at hand.
    """
    last = chosen.events[-1].place.position
    key, kept = place.public_key(), reading.kept(connection)
    if order.checkpoint is None and (not kept or kept[-1].position < last):
        sign(place)
        key, kept = place.public_key(), reading.kept(connection)
    if key is None:
        raise Failure("Name the log's public key with --key, or its data folder with --data.")
    findings = Findings()
    signed = opened(kept, key, findings)
    if findings.first:
        raise Failure(f"{findings.first.says} Nothing was exported: run `orderflow audit verify`.")
    checkpoint, row = _named(order.checkpoint, key, signed) if order.checkpoint else _smallest(signed, last)
    if checkpoint.position < last:
        raise Failure(f"That checkpoint is of positions up to {checkpoint.position}, and the last event is at {last}.")
    return bundle.Signed(checkpoint, row.note, key)


def _smallest(signed: list[tuple[Checkpoint, Kept]], last: int) -> tuple[Checkpoint, Kept]:
    """The same one for ever, so that the same bundle is made again when the log has grown."""
    return next(each for each in signed if each[0].position >= last)


def _named(asked: str, key: str, signed: list[tuple[Checkpoint, Kept]]) -> tuple[Checkpoint, Kept]:
    if is_number(asked):
        found = next((each for each in signed if each[0].size == int(asked)), None)
    else:
        try:
            note = open_note(read_text(Path(asked)), key)
        except Refused as wrong:
            raise Failure(f"{asked}: {wrong}") from wrong
        found = next((each for each in signed if each[0] == note), None)
    if found is None:
        raise Failure(f"The log keeps no such checkpoint: {asked}.")
    return found
