"""Tells what happened in a shop as a log would hold it: legal, in commit order, several orders interleaved."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Literal, get_args
from uuid import UUID, uuid5

from hypothesis import strategies as st

from infra.event_log import Stored
from schemas.base import Trace
from schemas.events import Event
from schemas.events.order import (
    Contact,
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderDelivered,
    OrderLine,
    OrderPlaced,
    OrderShipped,
    Pick,
)
from schemas.events.payment import (
    CaptureRefused,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentRequested,
    PaymentVoided,
    RefundRefused,
    RefundRequested,
)
from schemas.events.product import ProductListed, ProductRepriced
from schemas.events.stock import (
    StockAdjusted,
    StockDispatched,
    StockReceived,
    StockReleased,
    StockReserved,
    StockShort,
)
from schemas.ids import payment_id, product_id, stock_id
from schemas.money import Money
from schemas.recorded import GENESIS, Recorded
from schemas.upcasters import in_clear

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMES = {"ESP-250": "Espresso Roast 250 g", "FIL-1000": "Filtro Açaí 1 kg"}
CUSTOMER = UUID("00000000-0000-7000-8000-0000000000c1")
Fate = Literal["short", "declined", "cancelled", "delivered", "in_parts", "refunded", "refund_refused"]
FATES: tuple[Fate, ...] = get_args(Fate)


def an_id(*parts: object) -> UUID:
    """A made-up id that is the same in every run."""
    return uuid5(UUID(int=1), "/".join(map(str, parts)))


def euros(amount: int) -> Money:
    return Money(amount=amount, currency="EUR")


def lines_of(*quantities: int) -> tuple[OrderLine, ...]:
    """At most one line per SKU; prices 1000 and 1500."""
    return tuple(
        OrderLine(sku=sku, name=name, quantity=quantity, unit_price=price, product_version=1)
        for (sku, name), price, quantity in zip(NAMES.items(), (1000, 1500), quantities, strict=False)
    )


def placed(lines: tuple[OrderLine, ...], customer_id: UUID = CUSTOMER) -> OrderPlaced:
    return OrderPlaced(
        customer_id=customer_id,
        contact=in_clear(Contact(name="Zoë O'Neil", email="zoe@example.com", address="1 Bean Street")),
        locale="en",
        lines=lines,
        total=euros(sum(line.quantity * line.unit_price for line in lines)),
        payment_token="tok_visa",
    )


@dataclass
class Story:
    tenant_id: str = "acme"
    positions: Iterator[int] = field(default_factory=lambda: count(1))
    pace: timedelta = timedelta(minutes=7)
    start: datetime = NOON
    log: list[Stored] = field(default_factory=list)
    versions: dict[UUID, int] = field(default_factory=dict)

    def tell(self, stream_id: UUID, event: Event) -> Stored:
        position = next(self.positions)
        version = self.versions[stream_id] = self.versions.get(stream_id, 0) + 1
        recorded = Recorded.model_validate(
            {
                "event_id": an_id(stream_id, version),
                "stream_id": stream_id,
                "category": event.type.partition(".")[0],
                "version": version,
                "occurred_at": self.start + position * self.pace,
                "tenant_id": self.tenant_id,
                "actor": "user:ada",
                "trace": Trace(correlation_id=an_id(stream_id), causation_id=an_id(stream_id, "cause")),
                "prev": GENESIS,
                "event": event,
            }
        )
        stored = Stored.of(position, recorded)
        self.log.append(stored)
        return stored

    def of_stock(self, sku: str, event: Event) -> Stored:
        return self.tell(stock_id(self.tenant_id, sku), event)

    def of_payment(self, order_id: UUID, event: Event) -> Stored:
        return self.tell(payment_id(order_id), event)

    def open_shop(self) -> None:
        for sku, name in NAMES.items():
            self.tell(product_id(self.tenant_id, sku), ProductListed(sku=sku, name=name, price=euros(900)))
            self.tell(product_id(self.tenant_id, sku), ProductRepriced(sku=sku, price=euros(1000)))
            self.of_stock(sku, StockReceived(sku=sku, quantity=1_000))
            self.of_stock(sku, StockAdjusted(sku=sku, delta=-1, reason="damage"))


def life(story: Story, order_id: UUID, lines: tuple[OrderLine, ...], fate: Fate) -> Iterator[None]:
    """An order's life, one event per step, so that several lives can be interleaved."""
    order = placed(lines)
    story.tell(order_id, order)
    yield
    if fate == "short":
        yield from _short(story, order_id, order)
        return
    for line in lines:
        story.of_stock(line.sku, StockReserved(sku=line.sku, order_id=order_id, quantity=line.quantity))
        yield
    story.of_payment(
        order_id, PaymentRequested(order_id=order_id, amount=order.total, payment_token=order.payment_token)
    )
    yield
    if fate == "declined":
        story.of_payment(order_id, PaymentDeclined(order_id=order_id, code="insufficient_funds", kind="funds"))
        yield
        story.tell(order_id, _cancelled(order, "payment_declined"))
        yield
        yield from _released(story, order_id, order)
        return
    story.of_payment(order_id, PaymentAuthorised(order_id=order_id, amount=order.total, acquirer_reference="a-1"))
    yield
    story.tell(order_id, OrderConfirmed(lines=lines, total=order.total))
    yield
    if fate == "cancelled":
        story.tell(order_id, _cancelled(order, "customer_request", confirmed=True))
        yield
        yield from _released(story, order_id, order)
        story.of_payment(order_id, PaymentVoided(order_id=order_id))
        return
    yield from _fulfilled(story, order_id, order, in_parts=fate == "in_parts")
    yield from _refunded(story, order_id, order, fate)


def _cancelled(
    order: OrderPlaced,
    reason: Literal["customer_request", "out_of_stock", "payment_declined"],
    *,
    confirmed: bool = False,
) -> OrderCancelled:
    return OrderCancelled(reason=reason, confirmed=confirmed, lines=order.lines, total=order.total)


def _short(story: Story, order_id: UUID, order: OrderPlaced) -> Iterator[None]:
    line = order.lines[0]
    short = StockShort(sku=line.sku, order_id=order_id, quantity=line.quantity, available=line.quantity - 1)
    story.of_stock(line.sku, short)
    yield
    story.tell(order_id, _cancelled(order, "out_of_stock"))
    yield


def _released(story: Story, order_id: UUID, order: OrderPlaced) -> Iterator[None]:
    for line in order.lines:
        story.of_stock(line.sku, StockReleased(sku=line.sku, order_id=order_id, quantity=line.quantity))
        yield


def _fulfilled(story: Story, order_id: UUID, order: OrderPlaced, *, in_parts: bool) -> Iterator[None]:
    parts = [order.lines[:1], order.lines[1:]] if in_parts and len(order.lines) > 1 else [order.lines]
    for number, part in enumerate(parts, start=1):
        shipment_id, final = an_id(order_id, "shipment", number), number == len(parts)
        picks = tuple(Pick(sku=line.sku, quantity=line.quantity) for line in part)
        amount = euros(sum(line.quantity * line.unit_price for line in part))
        story.tell(
            order_id,
            OrderShipped(shipment_id=shipment_id, carrier="Post", picks=picks, amount=amount, final=final),
        )
        yield
        for pick in picks:
            story.of_stock(
                pick.sku,
                StockDispatched(sku=pick.sku, order_id=order_id, shipment_id=shipment_id, quantity=pick.quantity),
            )
            yield
        if in_parts:
            refused = CaptureRefused(order_id=order_id, capture_id=shipment_id, code="try_again")
            story.of_payment(order_id, refused)
            yield
        story.of_payment(order_id, PaymentCaptured(order_id=order_id, capture_id=shipment_id, amount=amount))
        yield
        story.tell(order_id, OrderDelivered(shipment_id=shipment_id, final=final))
        yield
    story.tell(order_id, OrderCompleted())
    yield


def _refunded(story: Story, order_id: UUID, order: OrderPlaced, fate: Fate) -> Iterator[None]:
    if fate not in {"refunded", "refund_refused"}:
        return
    for number, amount in enumerate((euros(1), euros(order.total.amount - 1)), start=1):
        refund_id = an_id(order_id, "refund", number)
        asked = RefundRequested(order_id=order_id, refund_id=refund_id, amount=amount, reason="goodwill")
        story.of_payment(order_id, asked)
        yield
        if fate == "refund_refused":
            story.of_payment(order_id, RefundRefused(order_id=order_id, refund_id=refund_id, code="too_late"))
        else:
            story.of_payment(order_id, PaymentRefunded(order_id=order_id, refund_id=refund_id, amount=amount))
        yield


def told(*fates: Fate, quantities: Sequence[int] = (2, 1), story: Story | None = None) -> list[Stored]:
    """The log of a shop with one order per fate, one after the other."""
    story = story or Story()
    story.open_shop()
    for number, fate in enumerate(fates):
        for _ in life(story, an_id("order", number), lines_of(*quantities), fate):
            pass
    return story.log


@st.composite
def logs(draw: st.DrawFn, max_orders: int = 4) -> list[Stored]:
    """Logs of two tenants whose orders live at the same time, in one order of positions."""
    positions, stories = count(1), []
    for tenant_id in ("acme", "bean-co"):
        story = Story(tenant_id, positions, timedelta(minutes=draw(st.integers(0, 90))))
        story.open_shop()
        stories.append(story)
    fates = draw(st.lists(st.sampled_from(FATES), max_size=max_orders))
    lives = []
    for number, fate in enumerate(fates):
        lines = lines_of(*draw(st.lists(st.integers(1, 9), min_size=1, max_size=2)))
        lives.append(life(draw(st.sampled_from(stories)), an_id("order", number), lines, fate))
    while lives:
        alive = draw(st.sampled_from(lives))
        if next(alive, "over") == "over":
            lives.remove(alive)
    return sorted((stored for story in stories for stored in story.log), key=lambda stored: stored.position)
