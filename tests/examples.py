"""A named example of every message: one order of coffee, followed through. Change only what a test is about."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from schemas import ids
from schemas.base import Category, Locale, Trace
from schemas.events import Event
from schemas.events.order import (
    CancelReason,
    Contact,
    ContactErased,
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
    RefundReason,
    RefundRefused,
    RefundRequested,
    kind_of_decline,
)
from schemas.events.product import ProductListed, ProductRepriced, ProductRetired
from schemas.events.stock import (
    AdjustmentReason,
    StockAdjusted,
    StockDispatched,
    StockReceived,
    StockReleased,
    StockReserved,
    StockShort,
)
from schemas.money import Money
from schemas.personal import Sealed
from schemas.recorded import GENESIS, Recorded, digest, encode
from schemas.upcasters import in_clear

TENANT: Final = "kaffa"
SKU: Final = "YIRGACHEFFE-250"
OTHER_SKU: Final = "HUILA-1KG"
TOKEN: Final = "tok_visa"


def uuid(name: str) -> UUID:
    """Give the id that goes by this name in every test."""
    return uuid5(UUID(int=0), name)


ORDER_ID: Final = uuid("order")
OTHER_ORDER_ID: Final = uuid("other order")
CUSTOMER_ID: Final = uuid("customer")
SHIPMENT_ID: Final = uuid("shipment")
OTHER_SHIPMENT_ID: Final = uuid("other shipment")
REFUND_ID: Final = uuid("refund")
PAYMENT_ID: Final = ids.payment_id(ORDER_ID)


def euros(amount: int) -> Money:
    """Give `amount` cents."""
    return Money(amount=amount, currency="EUR")


def a_contact(name: str = "Ana Souza", email: str = "ana.souza@example.com") -> Contact:
    return Contact(name=name, email=email, phone="+351910000001", address="Rua das Flores 12, 4050-262 Porto")


def a_line(sku: str = SKU, quantity: int = 2, unit_price: int = 1450, *, product_version: int = 1) -> OrderLine:
    return OrderLine(
        sku=sku, name="Yirgacheffe 250 g", quantity=quantity, unit_price=unit_price, product_version=product_version
    )


SEALED: Final = Sealed(key_id=uuid("key"), box="bm9uY2Ugb2YgMTIh" + "Y" * 60)
"""A contact that nobody can open."""
LINES: Final = (a_line(), a_line(OTHER_SKU, 1, 3900))
TOTAL: Final = euros(6800)
"""Of `LINES`."""


def total(lines: tuple[OrderLine, ...]) -> Money:
    return euros(sum(line.quantity * line.unit_price for line in lines))


# Order


def placed(
    *lines: OrderLine, customer_id: UUID = CUSTOMER_ID, contact: Contact | Sealed | None = None, locale: Locale = "en"
) -> OrderPlaced:
    """Give an order of `lines`, or of `LINES`."""
    return OrderPlaced(
        customer_id=customer_id,
        contact=contact if isinstance(contact, Sealed) else in_clear(contact or a_contact()),
        locale=locale,
        lines=lines or LINES,
        total=total(lines or LINES),
        payment_token=TOKEN,
    )


def confirmed(*lines: OrderLine) -> OrderConfirmed:
    return OrderConfirmed(lines=lines or LINES, total=total(lines or LINES))


def cancelled(*lines: OrderLine, reason: CancelReason = "customer_request", confirmed: bool = False) -> OrderCancelled:
    return OrderCancelled(reason=reason, confirmed=confirmed, lines=lines or LINES, total=total(lines or LINES))


def a_pick(sku: str = SKU, quantity: int = 2) -> Pick:
    return Pick(sku=sku, quantity=quantity)


def shipped(*picks: Pick, shipment_id: UUID = SHIPMENT_ID, amount: Money = TOTAL, final: bool = True) -> OrderShipped:
    """Give the shipment of `picks` worth `amount`, or of all of `LINES`."""
    return OrderShipped(
        shipment_id=shipment_id,
        carrier="CTT Expresso",
        tracking="RR123456785PT",
        picks=picks or tuple(a_pick(line.sku, line.quantity) for line in LINES),
        amount=amount,
        final=final,
    )


def delivered(shipment_id: UUID = SHIPMENT_ID, *, final: bool = True) -> OrderDelivered:
    return OrderDelivered(shipment_id=shipment_id, final=final)


def completed() -> OrderCompleted:
    return OrderCompleted()


# Stock


def received(quantity: int = 10, sku: str = SKU) -> StockReceived:
    return StockReceived(sku=sku, quantity=quantity, reference="DN-1001")


def adjusted(delta: int = -1, reason: AdjustmentReason = "count", sku: str = SKU) -> StockAdjusted:
    return StockAdjusted(sku=sku, delta=delta, reason=reason)


def reserved(quantity: int = 2, order_id: UUID = ORDER_ID, sku: str = SKU) -> StockReserved:
    return StockReserved(sku=sku, order_id=order_id, quantity=quantity)


def short(quantity: int = 2, available: int = 1, order_id: UUID = ORDER_ID, sku: str = SKU) -> StockShort:
    return StockShort(sku=sku, order_id=order_id, quantity=quantity, available=available)


def released(quantity: int = 2, order_id: UUID = ORDER_ID, sku: str = SKU) -> StockReleased:
    return StockReleased(sku=sku, order_id=order_id, quantity=quantity)


def dispatched(
    quantity: int = 2, order_id: UUID = ORDER_ID, shipment_id: UUID = SHIPMENT_ID, sku: str = SKU
) -> StockDispatched:
    return StockDispatched(sku=sku, order_id=order_id, shipment_id=shipment_id, quantity=quantity)


# Product


def listed(price: Money | None = None, sku: str = SKU, name: str = "Yirgacheffe 250 g") -> ProductListed:
    return ProductListed(sku=sku, name=name, description="Washed, floral, bergamot.", price=price or euros(1450))


def repriced(price: Money | None = None, sku: str = SKU) -> ProductRepriced:
    return ProductRepriced(sku=sku, price=price or euros(1550))


def retired(sku: str = SKU) -> ProductRetired:
    return ProductRetired(sku=sku)


# Payment


def requested(amount: Money = TOTAL, order_id: UUID = ORDER_ID) -> PaymentRequested:
    return PaymentRequested(order_id=order_id, amount=amount, payment_token=TOKEN)


def authorised(amount: Money = TOTAL, order_id: UUID = ORDER_ID) -> PaymentAuthorised:
    return PaymentAuthorised(order_id=order_id, amount=amount, acquirer_reference="acq-7001")


def declined(code: str = "insufficient_funds", order_id: UUID = ORDER_ID) -> PaymentDeclined:
    return PaymentDeclined(order_id=order_id, code=code, kind=kind_of_decline(code))


def captured(amount: Money = TOTAL, capture_id: UUID = SHIPMENT_ID, order_id: UUID = ORDER_ID) -> PaymentCaptured:
    return PaymentCaptured(order_id=order_id, capture_id=capture_id, amount=amount)


def capture_refused(capture_id: UUID = SHIPMENT_ID, order_id: UUID = ORDER_ID) -> CaptureRefused:
    return CaptureRefused(order_id=order_id, capture_id=capture_id, code="expired_authorisation")


def voided(order_id: UUID = ORDER_ID) -> PaymentVoided:
    return PaymentVoided(order_id=order_id)


def refund_requested(
    amount: Money = TOTAL, refund_id: UUID = REFUND_ID, reason: RefundReason = "damaged", order_id: UUID = ORDER_ID
) -> RefundRequested:
    return RefundRequested(order_id=order_id, refund_id=refund_id, amount=amount, reason=reason)


def refunded(amount: Money = TOTAL, refund_id: UUID = REFUND_ID, order_id: UUID = ORDER_ID) -> PaymentRefunded:
    return PaymentRefunded(order_id=order_id, refund_id=refund_id, amount=amount)


def refund_refused(refund_id: UUID = REFUND_ID, order_id: UUID = ORDER_ID) -> RefundRefused:
    return RefundRefused(order_id=order_id, refund_id=refund_id, code="account_closed")


EVENTS: Final[tuple[Event, ...]] = (
    listed(),
    repriced(),
    retired(),
    received(),
    adjusted(),
    reserved(),
    short(),
    released(),
    dispatched(),
    placed(contact=SEALED),
    confirmed(),
    cancelled(),
    shipped(),
    delivered(),
    completed(),
    ContactErased(),
    requested(),
    authorised(),
    declined(),
    captured(),
    capture_refused(),
    voided(),
    refund_requested(),
    refunded(),
    refund_refused(),
)
"""One of each, as single facts; not a history."""

# The envelope

NOON: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)


def recorded(  # noqa: PLR0913 - each may be what a test is about
    event: Event,
    version: int = 1,
    *,
    order_id: UUID = ORDER_ID,
    tenant_id: str = TENANT,
    occurred_at: datetime | None = None,
    event_id: UUID | None = None,
    correlation_id: UUID | None = None,
    actor: str = "user:ana",
    prev: str = GENESIS,
) -> Recorded:
    """Give the event in its envelope, a minute later per version. An order event is of `order_id`."""
    category, stream_id = _stream_of(event, tenant_id, order_id)
    return Recorded(
        event_id=event_id or uuid(f"{stream_id}/{version}"),
        stream_id=stream_id,
        category=category,
        version=version,
        occurred_at=occurred_at or NOON + timedelta(minutes=version),
        tenant_id=tenant_id,
        actor=actor,
        trace=Trace(correlation_id=correlation_id or uuid("correlation"), causation_id=uuid("cause")),
        prev=prev,
        event=event,
    )


def history(*events: Event, order_id: UUID = ORDER_ID, tenant_id: str = TENANT) -> list[Recorded]:
    """Give events of any streams, mixed, as the log would hold them: versions without holes, hashes chained."""
    tail: dict[UUID, tuple[int, str]] = {}
    stored: list[Recorded] = []
    for event in events:
        _, stream_id = _stream_of(event, tenant_id, order_id)
        version, prev = tail.get(stream_id, (0, GENESIS))
        stored.append(recorded(event, version + 1, order_id=order_id, tenant_id=tenant_id, prev=prev))
        tail[stream_id] = (version + 1, digest(encode(stored[-1])))
    return stored


def _stream_of(event: Event, tenant_id: str, order_id: UUID) -> tuple[Category, UUID]:
    match event:
        case ProductListed() | ProductRepriced() | ProductRetired():
            return "product", ids.product_id(tenant_id, event.sku)
        case StockReceived() | StockAdjusted() | StockReserved() | StockShort() | StockReleased() | StockDispatched():
            return "stock", ids.stock_id(tenant_id, event.sku)
        case (
            OrderPlaced()
            | OrderConfirmed()
            | OrderCancelled()
            | OrderShipped()
            | OrderDelivered()
            | OrderCompleted()
            | ContactErased()
        ):
            return "order", order_id
        case _:
            return "payment", ids.payment_id(event.order_id)
