"""Rows of the read models: what projections write and the query API returns.

Amounts are integer minor units; hours and days are UTC. Fields marked `exclude` are columns that the API does not show.
A view of an order is written by two or more streams, which may arrive in any order: `version` 0 means that only its
payment has been heard of so far, and such a row is not shown to anyone.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Final, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, computed_field
from pydantic.json_schema import SkipJsonSchema

from schemas.base import Category, Instant, Locale, TenantId
from schemas.events.order import CancelReason, Contact, Pick
from schemas.events.payment import DeclineKind, RefundReason
from schemas.money import Money
from schemas.personal import Sealed

OrderStatus = Literal["placed", "confirmed", "partly_shipped", "shipped", "delivered", "completed", "cancelled"]
"""`delivered` and `shipped`: in full."""
PaymentStatus = Literal[
    "none",
    "requested",
    "authorised",
    "declined",
    "voided",
    "partly_captured",
    "captured",
    "partly_refunded",
    "refunded",
]
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
NO_CURRENCY: Final = "XXX"
"""ISO 4217 for "no currency": an order of which only the payment has been heard of."""
FED_BY: Final[Mapping[str, str]] = {
    "order_summaries": "order_views",
    "order_details": "order_views",
    "order_timeline": "order_views",
    "customer_histories": "order_views",
    "stock_levels": "shop_figures",
    "products": "shop_figures",
    "sales_hours": "shop_figures",
    "sales_products": "shop_figures",
    "process_board": "order_fulfilment",
}
"""Table or view to the subscription whose position says how far it is."""
_set_values, _set_fields, _set_extra, _set_private = (
    vars(BaseModel)[name].__set__
    for name in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)


def _always_shown(schema: dict[str, Any], row: type["Row"]) -> None:
    """Say of the fields that are opened that an answer always has them."""
    if row.opened:
        required = row.opened.union(schema["required"])
        schema["required"] = [name for name in schema["properties"] if name in required]


class Row(BaseModel):
    """Frozen. The field names are the column names, so that SQL is made from them; nested values are jsonb."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        json_schema_extra=_always_shown,
    )
    opened: ClassVar[frozenset[str]] = frozenset()
    """Fields that are no columns: the query API reads them from what is sealed."""

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        return tuple(name for name in cls.model_fields if name not in cls.opened)

    def but(self, change: Mapping[str, Any]) -> Self:
        """Give a copy with other values, unchecked.

        `model_copy` copies three more containers, which a frozen row can share; that took a third of every fold.
        """
        copy = object.__new__(self.__class__)
        _set_values(copy, {**self.__dict__, **change})
        _set_fields(copy, self.__pydantic_fields_set__)
        _set_extra(copy, None)
        _set_private(copy, None)
        return copy


class Projected(Row):
    """A row of a table that the projector fills."""

    tenant_id: TenantId
    position: int = 0
    """Log position of the newest event in the row."""


class Revenue(Row):
    """Minor units; negative when more was taken back than sold."""

    amount: int
    currency: CurrencyCode


class OrderSummary(Projected):
    """`order_summaries`: one line of the order list. Shows the customer's name."""

    opened = frozenset({"customer_name", "masked"})

    order_id: UUID
    customer_id: UUID
    sealed: SkipJsonSchema[Sealed | None] = Field(default=None, exclude=True)
    """The contact."""
    customer_name: str = ""
    """Empty once the customer has been erased, and where `masked`."""
    masked: bool = False
    """There is a contact that an auditor is not shown without a `Reveal-Reason`."""
    status: OrderStatus
    cancel_reason: CancelReason | None = None
    payment_status: PaymentStatus
    authorised_amount: int = Field(default=0, exclude=True)
    captured_amount: int = Field(default=0, exclude=True)
    refunded_amount: int = Field(default=0, exclude=True)
    total_amount: int = Field(exclude=True)
    currency: CurrencyCode = Field(exclude=True)
    line_count: int
    item_count: int
    """Units over all lines."""
    shipped_count: int = 0
    """Units shipped so far."""
    first_line: str
    """Name of the first line's product."""
    placed_at: Instant
    updated_at: Instant
    """When the newest event of the order or its payment happened."""
    shipped_at: Instant | None = None
    """The newest shipment."""
    delivered_at: Instant | None = None
    """When the last of the order was delivered."""
    search_text: str = Field(exclude=True)
    """Distinct words (`schemas.search`) of order id, SKUs and product names; what stands for those of customer name and
    e-mail (`infra.vault`)."""
    version: int
    """Of the order's stream."""

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order of decorators
    @property
    def total(self) -> Money:
        return Money(amount=self.total_amount, currency=self.currency)


class DetailLine(Row):
    sku: str
    name: str
    quantity: int
    unit_price: int
    shipped: int = 0
    delivered: int = 0


class Shipment(Row):
    shipment_id: UUID
    carrier: str
    tracking: str | None
    picks: tuple[Pick, ...]
    amount: Money
    shipped_at: Instant
    delivered_at: Instant | None = None


class Refund(Row):
    refund_id: UUID
    amount: Money
    reason: RefundReason
    status: Literal["requested", "refunded", "refused"] = "requested"
    refusal_code: str | None = None


class PaymentDetail(Row):
    """Amounts in minor units of the order's currency."""

    status: PaymentStatus = "none"
    authorised: int = 0
    captured: int = 0
    refunded: int = 0
    decline_code: str | None = None
    decline_kind: DeclineKind | None = None
    """What the customer can do about it; empty also where the view was filled before it was told."""
    capture_refusal_code: str | None = None
    """Why the newest capture was refused; empty again once a capture has succeeded."""
    refunds: tuple[Refund, ...] = ()


class OrderDetail(Projected):
    """`order_details`: everything about one order, the contact included."""

    opened = frozenset({"contact", "masked"})

    order_id: UUID
    customer_id: UUID
    sealed: SkipJsonSchema[Sealed | None] = Field(default=None, exclude=True)
    contact: Contact | None = None
    """Empty once the customer has been erased, and where `masked`."""
    masked: bool = False
    """There is a contact that an auditor is not shown without a `Reveal-Reason`."""
    locale: Locale
    status: OrderStatus
    cancel_reason: CancelReason | None = None
    lines: tuple[DetailLine, ...]
    total_amount: int = Field(exclude=True)
    currency: CurrencyCode = Field(exclude=True)
    payment: PaymentDetail = PaymentDetail()
    shipments: tuple[Shipment, ...] = ()
    placed_at: Instant
    confirmed_at: Instant | None = None
    cancelled_at: Instant | None = None
    delivered_at: Instant | None = None
    completed_at: Instant | None = None
    updated_at: Instant
    version: int

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order of decorators
    @property
    def total(self) -> Money:
        return Money(amount=self.total_amount, currency=self.currency)


class TimelineEntry(Projected):
    """`order_timeline`: one event of the order, of its payment, or of stock about the order. No personal field."""

    order_id: UUID
    event_id: UUID
    kind: str
    """The event's wire name, such as `payment.captured.v1`; of a form that has a successor, the successor's."""
    category: Category
    version: int
    """Of the event's own stream."""
    occurred_at: Instant
    actor: str
    correlation_id: UUID
    causation_id: UUID
    facts: dict[str, Any]
    """A few plain values that say what happened, such as amount, SKU, carrier or reason."""


class CustomerHistory(Row):
    """`customer_histories`: an SQL view over `order_summaries`, so it is never older or newer than the order list."""

    customer_id: UUID
    tenant_id: TenantId
    orders: int
    open_orders: int
    """Neither delivered, completed nor cancelled."""
    delivered_orders: int
    """Delivered or completed."""
    cancelled_orders: int
    spent: tuple[Money, ...]
    """Captured less refunded, per currency, in the order of their codes."""
    first_placed_at: Instant
    last_placed_at: Instant
    position: int


class StockLevel(Projected):
    """`stock_levels`: available = on hand - reserved."""

    sku: str
    on_hand: int
    reserved: int
    available: int
    updated_at: Instant
    version: int


class ProductView(Projected):
    """`products`: the catalogue."""

    sku: str
    name: str
    description: str | None
    price: Money
    status: Literal["listed", "retired"]
    listed_at: Instant
    updated_at: Instant
    version: int


class SalesHour(Projected):
    """`sales_hours`: confirmed sales by the hour.

    An order counts in the hour of its confirmation. The cancellation of a confirmed order is booked with the opposite
    sign in the hour of the cancellation, so that a past hour never changes.
    """

    hour: Instant
    currency: CurrencyCode
    orders: int
    items: int
    revenue: int


class SalesProduct(Projected):
    """`sales_products`: confirmed sales by day and product, booked as in `SalesHour`. Names are in `products`."""

    day: date
    sku: str
    currency: CurrencyCode
    orders: int
    quantity: int
    revenue: int


class ProcessBoardEntry(Row):
    """`process_board`: an SQL view over the process managers' own table."""

    process: str
    order_id: UUID
    tenant_id: TenantId
    phase: str
    waiting_for: str
    deadline_at: Instant | None
    started_at: Instant
    updated_at: Instant
    ended_at: Instant | None
    overdue: bool
    """Not ended and past its deadline."""


class RecentOrder(Row):
    """One line of the dashboard. No personal field: the customer's name is in `OrderSummary`."""

    order_id: UUID
    status: OrderStatus
    first_line: str
    item_count: int
    total: Money
    placed_at: Instant


class MinuteCount(Row):
    minute: Instant
    orders: int
    """Placed in that minute."""


class Dashboard(Row):
    """Live figures of one tenant, read from Redis (`infra.live_keys`)."""

    position: int
    """Newest event in the figures; 0 before the first."""
    orders_per_minute: tuple[MinuteCount, ...]
    """The last 60 minutes, oldest first, minutes without an order included."""
    orders_by_status: dict[OrderStatus, int]
    """Every status is present."""
    revenue_today: tuple[Revenue, ...]
    """Since midnight UTC, booked as in `SalesHour`, in the order of the currencies' codes."""
    recent_orders: tuple[RecentOrder, ...]
    """At most 50, the newest first."""
