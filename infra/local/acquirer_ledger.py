"""The books of the simulated acquirer: append-only, so that an audit can add up what was really charged."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal
from uuid import UUID

from infra.acquirer import Answer, Approved, Refused
from schemas.base import Message
from schemas.ids import new_id
from schemas.money import Money

Kind = Literal["authorise", "capture", "void", "refund"]

_SCHEMA: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS entries (
    entry_id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    payment_token TEXT,
    reference TEXT,
    code TEXT,
    recorded_at TEXT NOT NULL,
    CHECK ((reference IS NULL) <> (code IS NULL))
);
CREATE INDEX IF NOT EXISTS entries_payment ON entries (payment_id);
CREATE INDEX IF NOT EXISTS entries_time ON entries (recorded_at);
CREATE TRIGGER IF NOT EXISTS entries_stay BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS entries_remain BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'append-only'); END;
"""
_SELECT: Final = (
    "SELECT key, kind, payment_id, amount, currency, payment_token, reference, code, recorded_at FROM entries"
)
_INSERT: Final = (
    "INSERT INTO entries (key, kind, payment_id, amount, currency, payment_token, reference, code, recorded_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Entry(Message):
    """One operation that was decided: approved, with a `reference`, or refused, with a `code`."""

    key: str
    kind: Kind
    payment_id: str
    amount: int
    currency: str
    payment_token: str | None
    reference: str | None
    code: str | None
    recorded_at: str

    @property
    def approved(self) -> bool:
        return self.reference is not None

    @property
    def answer(self) -> Answer:
        return Approved(reference=self.reference) if self.reference else Refused(code=self.code or "unknown")


class KeyTaken(Exception):  # noqa: N818  # a state of the world
    """The key was used before for something else."""


class Ledger:
    """Every operation is idempotent by its key: the first decision stands, and is given to every repeat."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(file, isolation_level=None)
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        self._connection.close()

    def entries(self, *, since: datetime | None = None, payment_id: UUID | None = None) -> list[Entry]:
        """Give all entries, or those from a moment on or of one payment, in the order in which they were decided."""
        asked = {"recorded_at >= ?": since and since.astimezone(UTC).isoformat(), "payment_id = ?": payment_id}
        values = {condition: str(value) for condition, value in asked.items() if value}
        where = f" WHERE {' AND '.join(values)}" if values else ""
        rows = self._connection.execute(f"{_SELECT}{where} ORDER BY entry_id", tuple(values.values()))
        return [_entry(row) for row in rows]

    def find(self, key: str) -> Entry | None:
        row = self._connection.execute(f"{_SELECT} WHERE key = ?", (key,)).fetchone()
        return None if row is None else _entry(row)

    def authorise(self, payment_id: UUID, amount: Money, token: str, refusal: str | None) -> Entry:
        """Hold the amount, unless the card refuses it or the payment was voided before it came."""
        voided = "voided" if self._approved(payment_id, "void") else refusal
        return self._decide(str(payment_id), ("authorise", payment_id, amount), refusal=voided, token=token)

    def capture(self, payment_id: UUID, capture_id: UUID, amount: Money, refusal: str | None) -> Entry:
        """Take part of what is held; what is taken never exceeds what is held."""
        held, taken = self._sum(payment_id, "authorise"), self._sum(payment_id, "capture")
        if not self._approved(payment_id, "authorise") or self._approved(payment_id, "void"):
            refusal = "nothing_held"
        elif taken + amount.amount > held:
            refusal = "exceeds_authorised"
        return self._decide(str(capture_id), ("capture", payment_id, amount), refusal=refusal)

    def refund(self, payment_id: UUID, refund_id: UUID, amount: Money) -> Entry:
        """Give back part of what was taken."""
        left = self._sum(payment_id, "capture") - self._sum(payment_id, "refund")
        refusal = "exceeds_captured" if amount.amount > left else None
        return self._decide(str(refund_id), ("refund", payment_id, amount), refusal=refusal)

    def void(self, payment_id: UUID) -> Entry:
        """Hold nothing from now on. The entry closes the key even when nothing was ever authorised under it."""
        authorised = self.find(str(payment_id))
        money = Money(
            amount=authorised.amount if authorised else 0, currency=authorised.currency if authorised else "EUR"
        )
        captured = "already_captured" if self._approved(payment_id, "capture") else None
        return self._decide(_void_key(payment_id), ("void", payment_id, money), refusal=captured)

    def _approved(self, payment_id: UUID, kind: Kind) -> list[Entry]:
        rows = self._connection.execute(f"{_SELECT} WHERE payment_id = ? AND kind = ?", (str(payment_id), kind))
        return [entry for entry in map(_entry, rows) if entry.approved]

    def _sum(self, payment_id: UUID, kind: Kind) -> int:
        return sum(entry.amount for entry in self._approved(payment_id, kind))

    def _decide(
        self, key: str, operation: tuple[Kind, UUID, Money], *, refusal: str | None, token: str | None = None
    ) -> Entry:
        kind, payment_id, money = operation
        before = self.find(key)
        if before:
            same = (before.kind, before.payment_id) == (kind, str(payment_id))
            if not same or (kind != "void" and (before.amount, before.currency) != (money.amount, money.currency)):
                raise KeyTaken(key)
            return before
        entry = Entry(
            key=key,
            kind=kind,
            payment_id=str(payment_id),
            amount=money.amount,
            currency=money.currency,
            payment_token=token,
            reference=None if refusal else f"sim_{new_id().hex}",
            code=refusal,
            recorded_at=datetime.now(UTC).isoformat(),
        )
        self._connection.execute(_INSERT, tuple(entry.model_dump().values()))
        return entry


def _void_key(payment_id: UUID) -> str:
    return f"void/{payment_id}"


def _entry(row: tuple[str, Kind, str, int, str, str | None, str | None, str | None, str]) -> Entry:
    key, kind, payment_id, amount, currency, payment_token, reference, code, recorded_at = row
    return Entry(
        key=key,
        kind=kind,
        payment_id=payment_id,
        amount=amount,
        currency=currency,
        payment_token=payment_token,
        reference=reference,
        code=code,
        recorded_at=recorded_at,
    )
