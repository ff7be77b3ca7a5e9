"""What must be true of the world: at every moment, and when nothing is under way any more."""

from collections import Counter
from uuid import UUID

from schemas.events import Event
from schemas.events.order import (
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderDelivered,
    OrderPlaced,
    OrderShipped,
)
from schemas.events.payment import CaptureRefused, PaymentCaptured, PaymentRefunded
from schemas.events.stock import StockAdjusted, StockDispatched, StockEvent, StockReceived
from schemas.ids import payment_id, stock_id
from tests.examples import TENANT
from tests.system.world import World


def at_every_moment(world: World) -> None:
    """Check what no crash, repetition or reordering may break even for a moment."""
    assert not world.refused, "a message between our own parts was refused"
    for stock in (world.stock(sku) for sku in _skus(world)):
        assert 0 <= stock.reserved <= stock.on_hand, "oversold"
    books = world.books
    assert all(times == 1 for times in books.charges.values()), "charged twice"
    assert all(amount >= 0 for amount in books.held.values()), "captured more than was authorised"
    assert all(amount <= books.captured[payment] for payment, amount in books.refunded.items()), "refunded too much"


def when_all_is_quiet(world: World) -> None:
    """Check what must have come true once every message has arrived and every wait is over."""
    assert not world.wire
    for sku in _skus(world):
        _shelf(world, sku)
    for order_id in _orders(world):
        _order(world, order_id)
    _mails(world)


def _shelf(world: World, sku: str) -> None:
    stock = world.stock(sku)
    came = left = 0
    for event in _events(world, stock_id(TENANT, sku)):
        match event:
            case StockReceived(quantity=quantity):
                came += quantity
            case StockAdjusted(delta=delta):
                came += delta
            case StockDispatched(quantity=quantity):
                left += quantity
            case _:
                pass
    shipped = sum(
        pick.quantity
        for event in (recorded.event for recorded in world.log)
        if isinstance(event, OrderShipped)
        for pick in event.picks
        if pick.sku == sku
    )
    assert left == shipped, "what was shipped is not what left the shelf"
    assert stock.on_hand == came - left
    kept = {order_id for order_id in stock.holds if world.order(order_id).status in {"cancelled", "completed"}}
    assert not kept, "a finished order still holds goods"
    assert not stock.short
    assert not stock.released, "a finished order is not forgotten"


def _order(world: World, order_id: UUID) -> None:
    order, process = world.order(order_id), world.processes[order_id]
    money, books = payment_id(order_id), world.books
    events = _events(world, order_id)
    ends = [event for event in events if isinstance(event, OrderCancelled | OrderCompleted)]
    refused = any(isinstance(event, CaptureRefused) for event in _events(world, money))
    shipped = sum(event.amount.amount for event in events if isinstance(event, OrderShipped))
    assert len(ends) <= 1, "an order ended twice"
    assert process.ended or (refused and process.phase == "attention"), "a process does not end"
    assert bool(ends) is process.ended
    if order.status == "cancelled":
        assert books.held[money] == books.captured[money] == shipped == 0, "money is held for a cancelled order"
    elif not refused:
        assert books.captured[money] == shipped == order.total.amount, "what was captured is not what was shipped"
    for event in ends:
        if isinstance(event, OrderCancelled) and event.reason.endswith("_deadline"):
            assert order_id in world.overdue, "cancelled before its time was over"
    payment = world.payment(order_id)
    if order.status == "cancelled":
        assert payment is None or payment.status in {"declined", "voided"}, "a payment stays open"
    recorded = _events(world, money)
    captured = sum(event.amount.amount for event in recorded if isinstance(event, PaymentCaptured))
    refunded = sum(event.amount.amount for event in recorded if isinstance(event, PaymentRefunded))
    assert (captured, refunded) == (books.captured[money], books.refunded[money]), "the acquirer's books say otherwise"
    assert payment is None or payment.refundable == captured - refunded


def _mails(world: World) -> None:
    expected: Counter[tuple[str, UUID]] = Counter()
    for recorded in world.log:
        match recorded.event:
            case OrderConfirmed():
                template = "order_confirmed"
            case OrderCancelled():
                template = "order_cancelled"
            case OrderShipped():
                template = "order_shipped"
            case OrderDelivered(final=True):
                template = "order_delivered"
            case PaymentRefunded():
                template = "payment_refunded"
            case _:
                continue
        expected[template, recorded.event_id] += 1
    sent = Counter((mail.template, mail.event_id) for mail in world.mails)
    assert sent == expected, "not one mail for each thing that customers are told"


def _orders(world: World) -> list[UUID]:
    return [recorded.stream_id for recorded in world.log if isinstance(recorded.event, OrderPlaced)]


def _skus(world: World) -> set[str]:
    return {recorded.event.sku for recorded in world.log if isinstance(recorded.event, StockEvent)}


def _events(world: World, stream_id: UUID) -> list[Event]:
    return [recorded.event for recorded in world.streams.get(stream_id, [])]
