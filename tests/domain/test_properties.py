"""What holds for every aggregate, whatever is asked of it and in whatever order."""

from hypothesis import given

from domain.aggregates import ORDER, PAYMENT, STOCK
from schemas.events import Event
from schemas.events.order import ContactErased, OrderCancelled, OrderCompleted, OrderShipped
from schemas.recorded import decode, encode
from tests.domain.histories import Commands, history_of, of_a_payment, of_a_product, of_an_order, of_stock
from tests.examples import recorded
from tests.given import AnyCommand


@given(of_a_product | of_stock | of_an_order | of_a_payment)
def test_every_command_is_accepted_or_refused_and_its_events_can_be_stored_and_read_back(commands: Commands) -> None:
    for event in history_of(commands):
        assert decode(encode(recorded(event))).event == event


@given(of_a_product | of_an_order | of_a_payment)
def test_asking_everything_twice_changes_nothing(commands: Commands) -> None:
    twice = [command for command in commands for _ in range(2)]
    assert history_of(twice) == history_of(commands)


@given(of_stock)
def test_asking_twice_for_an_order_that_is_not_finished_changes_nothing(commands: Commands) -> None:
    twice: Commands = []
    for command in commands:
        twice.append(command)
        if _is_for_an_open_order(command, history_of(twice)):
            twice.append(command)
    assert history_of(twice) == history_of(commands)


def _is_for_an_open_order(command: AnyCommand, history: list[Event]) -> bool:
    stock = STOCK.fold(history)
    order_id = getattr(command, "order_id", None)
    return stock is not None and order_id in {*stock.holds, *stock.short, *stock.released}


@given(of_stock)
def test_stock_is_never_oversold(commands: Commands) -> None:
    history = history_of(commands)
    for length in range(1, len(history) + 1):
        stock = STOCK.fold(history[:length])
        assert stock is not None
        assert 0 <= stock.reserved <= stock.on_hand
        assert stock.reserved == sum(hold.quantity for hold in stock.holds.values())
        assert all(hold.quantity > 0 for hold in stock.holds.values())


@given(of_an_order)
def test_an_order_ends_once_and_nothing_happens_to_it_afterwards(commands: Commands) -> None:
    history = [event for event in history_of(commands) if not isinstance(event, ContactErased)]
    assert not [event for event in history[:-1] if isinstance(event, OrderCancelled | OrderCompleted)]


@given(of_an_order)
def test_shipments_add_up_to_the_order(commands: Commands) -> None:
    history = history_of(commands)
    order = ORDER.fold(history)
    shipments = [event for event in history if isinstance(event, OrderShipped)]
    amount = sum(shipment.amount.amount for shipment in shipments)
    assert order is None or amount <= order.total.amount
    assert not any(shipment.final for shipment in shipments[:-1])
    if order is not None and shipments and shipments[-1].final:
        assert amount == order.total.amount
        assert not order.unshipped


@given(of_a_payment)
def test_captured_never_exceeds_authorised_and_refunded_never_exceeds_captured(commands: Commands) -> None:
    payment = PAYMENT.fold(history_of(commands))
    if payment is not None:
        authorised = payment.asked.amount if payment.asked else 0
        assert payment.captured <= authorised
        assert 0 <= payment.refundable <= payment.captured
