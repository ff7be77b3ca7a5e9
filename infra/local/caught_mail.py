"""The mails that were caught, in a file of their own so that they outlive a restart."""

import sqlite3
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Final

from schemas.base import Message
from schemas.ids import new_id

ORDER_HEADER: Final = "X-OrderFlow-Order"

_SCHEMA: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA secure_delete = ON;
CREATE TABLE IF NOT EXISTS mails (
    mail_id INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    order_id TEXT,
    received_at TEXT NOT NULL,
    repeats INTEGER NOT NULL DEFAULT 0,
    raw BLOB NOT NULL,
    UNIQUE (message_id, recipient)
);
CREATE INDEX IF NOT EXISTS mails_recipient ON mails (recipient, mail_id);
"""
_CATCH: Final = """
INSERT INTO mails (message_id, recipient, subject, order_id, received_at, raw) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (message_id, recipient) DO UPDATE SET repeats = repeats + 1
"""
_HEADERS: Final = BytesHeaderParser(policy=policy.default)
_SELECT: Final = "SELECT mail_id, message_id, recipient, subject, order_id, received_at, repeats"


class Mail(Message):
    mail_id: int
    message_id: str
    to: str
    subject: str
    order_id: str | None
    received_at: str
    repeats: int
    """How often the same mail came again and was dropped."""


class OpenedMail(Mail):
    headers: dict[str, str]
    text: str
    html: str


class CaughtMail:
    """Keeps each mail once, recognised by its Message-ID."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(file, isolation_level=None)
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        self._connection.close()

    def catch(self, raw: bytes, recipient: str) -> None:
        """Keep a mail, or count it when it has come before."""
        message = _HEADERS.parsebytes(raw)
        order_id = message[ORDER_HEADER]
        values = (
            str(message["Message-ID"] or f"<{new_id()}@without.id>"),
            recipient,
            str(message["Subject"] or ""),
            None if order_id is None else str(order_id),
            datetime.now(UTC).isoformat(),
            raw,
        )
        self._connection.execute(_CATCH, values)

    def newest(self, *, to: str | None, limit: int) -> list[Mail]:
        """Give mails, newest first; `to` keeps those to one address."""
        rows = self._connection.execute(
            f"{_SELECT} FROM mails WHERE ?1 IS NULL OR recipient = ?1 ORDER BY mail_id DESC LIMIT ?2", (to, limit)
        )
        return [_mail(row) for row in rows]

    def remove(self, to: str) -> int:
        """Remove every mail to an address, from the disk, too; gives how many."""
        removed = self._connection.execute("DELETE FROM mails WHERE recipient = ?", (to,)).rowcount
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return removed

    def open(self, mail_id: int) -> OpenedMail | None:
        """Give one mail with its parts; None when there is none with that number."""
        row = self._connection.execute(f"{_SELECT}, raw FROM mails WHERE mail_id = ?", (mail_id,)).fetchone()
        if row is None:
            return None
        message = _parsed(row[-1])
        return OpenedMail(
            **_mail(row[:-1]).model_dump(),
            headers={name: str(value) for name, value in message.items()},
            text=_part(message, "plain"),
            html=_part(message, "html"),
        )


def _parsed(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, policy=policy.default)


def _part(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    return "" if part is None else str(part.get_content()).replace("\r\n", "\n")


def _mail(row: tuple[int, str, str, str, str | None, str, int]) -> Mail:
    mail_id, message_id, recipient, subject, order_id, received_at, repeats = row
    return Mail(
        mail_id=mail_id,
        message_id=message_id,
        to=recipient,
        subject=subject,
        order_id=order_id,
        received_at=received_at,
        repeats=repeats,
    )
