"""What may be asked: every filter, sort and bound, checked before a query is built. Unknown parameters are refused."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    model_validator,
)

from infra.auth import Subject
from query_api.cursors import MAX_CURSOR
from schemas.base import Instant, ShortText, Sku, Version
from schemas.views import OrderStatus, PaymentStatus

MAX_LIMIT: Final = 200
MAX_WAIT_SECONDS: Final = 5.0
MAX_HOURS: Final = timedelta(days=31)
MAX_DAYS: Final = timedelta(days=366)

_YEAR: Final = r"(19[7-9]\d|2\d{3})"
"""1970 to 2999: no calculation with them leaves the calendar."""
_DAY: Final = re.compile(_YEAR + r"-\d\d-\d\d", re.ASCII)
_INSTANT: Final = re.compile(_YEAR + r"-\d\d-\d\d[Tt]\d\d:\d\d", re.ASCII)


def _written_out(text: object) -> object:
    """Refuse numbers: pydantic would read them as seconds or milliseconds since 1970, by their size."""
    if isinstance(text, str) and not _INSTANT.match(text):
        raise ValueError("must be an instant with an offset, such as 2026-03-01T09:30:00Z")
    return text


def _has_come(instant: datetime) -> datetime:
    if instant > datetime.now(UTC):
        raise ValueError("has not come yet")
    return instant


def _day(text: object) -> object:
    if isinstance(text, str) and not _DAY.fullmatch(text):
        raise ValueError("must be a day, such as 2026-03-01")
    return text


Day = Annotated[date, BeforeValidator(_day)]
When = Annotated[Instant, BeforeValidator(_written_out)]
Past = Annotated[When, AfterValidator(_has_come)]
"""What is asked about now is answered the same later, so nothing is said of what has not come yet."""
Position = Annotated[int, Field(ge=0, le=2**63 - 1)]
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT)]
CursorText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_CURSOR, pattern=r"^[A-Za-z0-9_-]+$")]
Wait = Annotated[float, Field(ge=0, le=MAX_WAIT_SECONDS, allow_inf_nan=False)]
Phase = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]
_SORTED: Final = PlainSerializer(sorted, return_type=list[str])
OrderSort = Literal["placed_at", "-placed_at", "total", "-total", "updated_at", "-updated_at"]


class Fresh(BaseModel):
    """Read your own writes: the answer holds everything up to `min_position`, or is 503 `read-model-behind`.

    A position that no write has answered is 400 `position-unknown`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    min_position: Position | None = Field(default=None, examples=[1])
    """The `position` that a write answered."""
    wait: Wait = 2.0
    """Seconds to wait for the read model to get there."""


class AsOf(Fresh):
    """Now, or as it was at an instant: then of one tenant as a whole, for staff and auditors.

    The first question about an instant has it computed. It is 503 `past-being-computed` when that takes longer than
    `wait`: ask again.
    """

    as_of: Past | None = Field(default=None, examples=["2026-03-02T12:00:00Z"])
    """As it was at this instant, for staff and auditors; it is computed when it is asked for first."""

    @model_validator(mode="after")
    def _now_or_then(self) -> Self:
        if self.as_of is not None and self.min_position is not None:
            raise ValueError("takes `min_position` or `as_of`, not both")
        return self


class Paged(Fresh):
    limit: Limit = 50
    cursor: CursorText | None = None
    """`next_cursor` of the page before; belongs to this caller and to these filters and this sort."""

    def question(self) -> str:
        """What a cursor is bound to: everything that was asked except for the page and how long to wait."""
        return self.model_dump_json(exclude={"limit", "cursor", "min_position", "wait"}, exclude_none=True)


class OrderQuery(Paged, AsOf):
    status: Annotated[frozenset[OrderStatus], _SORTED] = frozenset()
    """Repeat it to see several."""
    payment_status: Annotated[frozenset[PaymentStatus], _SORTED] = frozenset()
    """Repeat it to see several."""
    customer_id: UUID | None = None
    q: ShortText | None = Field(default=None, examples=["souza sidama"])
    """Words, or their beginnings, of order id, customer, SKU and product; all must be found. Auditors need a reason."""
    placed_from: When | None = Field(default=None, examples=["2026-03-01T00:00:00Z"])
    placed_to: When | None = Field(default=None, examples=["2026-04-01T00:00:00Z"])
    """Not included."""
    sort: OrderSort = "-placed_at"


class TimelineQuery(Paged):
    limit: Limit = MAX_LIMIT
    story: bool = Field(default=True, examples=[True])
    """With commands, payment attempts, mails, steps and causes, and with what is waited for; not only the events."""


class ProductQuery(Paged, AsOf):
    status: Literal["listed", "retired"] | None = None


class StockQuery(Paged, AsOf):
    available_below: Annotated[int, Field(ge=-(2**53), le=2**53)] | None = None
    """Only what has fewer units available."""


class ProcessQuery(Paged):
    phase: Annotated[frozenset[Phase], _SORTED] = frozenset()
    """Repeat it to see several."""
    overdue: bool | None = None
    ended: bool | None = None


class LookQuery(Paged):
    subject: Subject | None = Field(default=None, examples=["rita"])
    """Of the auditor's token."""
    order_id: UUID | None = None
    customer_id: UUID | None = None
    revealed: bool | None = Field(default=None, examples=[True])
    """Only looks that were, or were not, shown contacts."""
    since: When | None = None
    until: When | None = None
    """Not included."""


class HourRange(AsOf):
    """At most 31 days; without it, the last 24 hours."""

    since: When | None = Field(default=None, alias="from")
    until: When | None = Field(default=None, alias="to")
    """Not included."""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        _check_range(self.since, self.until, MAX_HOURS)
        return self


class DayRange(AsOf):
    """At most 366 days, both ends included; without it, the last 30 days."""

    since: Day | None = Field(default=None, alias="from")
    until: Day | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        _check_range(self.since, self.until, MAX_DAYS)
        return self


class ProductSalesQuery(DayRange):
    sku: Sku | None = None
    limit: Limit = 50


class StateQuery(Fresh):
    """Without `at_version` and `as_of`, the state now."""

    at_version: Version | None = Field(default=None, examples=[2])
    """After this version of its own stream."""
    as_of: Past | None = Field(default=None, examples=["2026-03-02T12:00:00Z"])
    """At this instant."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        _check_point(self.at_version, self.as_of, "`at_version` or `as_of`")
        return self


class DiffQuery(Fresh):
    """From one point to another, which may be the earlier one; without an end, until now."""

    from_version: Version | None = Field(default=None, examples=[1])
    from_as_of: Past | None = Field(default=None, examples=["2026-03-02T12:00:00Z"])
    to_version: Version | None = Field(default=None, examples=[2])
    to_as_of: Past | None = Field(default=None, examples=["2026-03-02T14:00:00Z"])

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.from_version is None and self.from_as_of is None:
            raise ValueError("needs `from_version` or `from_as_of`")
        _check_point(self.from_version, self.from_as_of, "`from_version` or `from_as_of`")
        _check_point(self.to_version, self.to_as_of, "`to_version` or `to_as_of`")
        return self


def _check_point(version: int | None, instant: datetime | None, either: str) -> None:
    if version is not None and instant is not None:
        raise ValueError(f"takes {either}, not both")


def _check_range(since: Any, until: Any, longest: timedelta) -> None:  # noqa: ANN401  # instants or days
    if (since is None) != (until is None):
        raise ValueError("needs both `from` and `to`, or neither")
    if since is not None and not timedelta(0) <= until - since <= longest:
        raise ValueError(f"must end after it begins, within {longest.days} days")
