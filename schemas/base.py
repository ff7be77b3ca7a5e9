"""The frozen, strict base of every message, and the plain types that its fields are made of."""

import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

MAX_QUANTITY: Final = 1_000_000
MAX_MINOR_UNITS: Final = 10**15
"""Largest amount of money in one field: fits a JSON number that every client reads exactly (2**53)."""

_REFUSED_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_MOST_MARKS: Final = 30
"""Combining marks in a row; no language needs more (Unicode's Stream-Safe Text Format, UAX #15)."""


def _plain_text(text: str) -> str:
    """Normalise to NFC; refuse what corrupts logs, mail headers and pages, or is not seen.

    Those are controls, surrogates, bidirectional and zero-width characters, line separators and floods of marks.
    """
    for character in () if text.isprintable() else text:  # what is printable has none of them, and is the usual case
        if unicodedata.category(character) in _REFUSED_CATEGORIES:
            msg = f"must not contain the character U+{ord(character):04X}"
            raise ValueError(msg)
    normal = unicodedata.normalize("NFC", text).strip()
    if not normal:
        msg = "must not be blank"
        raise ValueError(msg)
    if not normal.isascii():
        _check_marks(normal)
    return normal


def _check_marks(text: str) -> None:
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character).startswith("M") else 0
        if marks > _MOST_MARKS:
            msg = "must not pile up combining marks"
            raise ValueError(msg)


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        msg = "must carry an offset from UTC"
        raise ValueError(msg)
    return instant.astimezone(UTC)


ShortText = Annotated[str, StringConstraints(min_length=1, max_length=120), AfterValidator(_plain_text)]
LongText = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_plain_text)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$")]
TenantId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Sku = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9._-]{0,63}$")]
Quantity = Annotated[int, Field(ge=1, le=MAX_QUANTITY)]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
Instant = Annotated[datetime, AfterValidator(_utc)]
Locale = Literal["en", "pt"]
Traceparent = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")]
Category = Literal["product", "stock", "order", "payment"]


class Message(BaseModel):
    """A value on the wire. Unknown fields, coercions and mutation are refused; tuples keep it hashable."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        ser_json_bytes="base64",
        use_attribute_docstrings=True,
    )


class Trace(Message):
    """Why a message exists.

    `correlation_id` is shared by everything that one request set off; `causation_id` is the id of the message that
    directly caused this one (an event id, a command's message id, or the request's own id).
    """

    correlation_id: UUID
    causation_id: UUID
    traceparent: Traceparent | None = None
    """W3C Trace Context header of the request, when it sent one."""
