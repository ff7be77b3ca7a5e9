"""Stock beside the plainest model of a shelf: pieces on it, and a heap of them set aside per order."""

from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from domain.aggregates import STOCK
from domain.errors import DomainError
from domain.stock.commands import AdjustStock, ReceiveStock, StockCommand
from domain.stock.state import Stock
from schemas.events.stock import StockEvent, StockReleased, StockReserved, StockShort
from tests.command_examples import dispatch, release, reserve
from tests.examples import SKU, uuid

few = st.integers(1, 6)


class Shelf(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stock = Stock()
        self.pieces = 0
        self.heaps: dict[UUID, int] = {}
        self.numbers = 0

    def ask(self, command: StockCommand) -> list[StockEvent]:
        events = STOCK.decide(self.stock, command)
        for event in events:
            self.stock = STOCK.evolve(self.stock, event)
        return events

    def a_new(self, kind: str) -> UUID:
        self.numbers += 1
        return uuid(f"{kind} {self.numbers}")

    @rule(quantity=few)
    def goods_arrive(self, quantity: int) -> None:
        self.ask(ReceiveStock(sku=SKU, quantity=quantity))
        self.pieces += quantity

    @rule(delta=st.integers(-6, 6))
    def somebody_counts(self, delta: int) -> None:
        try:
            self.ask(AdjustStock(sku=SKU, delta=delta, reason="count"))
        except DomainError:
            assert self.pieces + delta < sum(self.heaps.values())
        else:
            self.pieces += delta

    @rule(quantity=few)
    def an_order_reserves(self, quantity: int) -> None:
        order_id, free = self.a_new("order"), self.pieces - sum(self.heaps.values())
        (event,) = self.ask(reserve(quantity, order_id))
        assert isinstance(event, StockReserved if quantity <= free else StockShort)
        if isinstance(event, StockReserved):
            self.heaps[order_id] = quantity

    @rule(quantity=few)
    def a_release_overtakes_its_reservation(self, quantity: int) -> None:
        order_id = self.a_new("order")
        self.ask(release(order_id))
        (event,) = self.ask(reserve(quantity, order_id))
        assert isinstance(event, StockShort)

    @precondition(lambda self: self.heaps)
    @rule(data=st.data())
    def an_order_is_released(self, data: st.DataObject) -> None:
        order_id = data.draw(st.sampled_from(sorted(self.heaps)))
        (event,) = self.ask(release(order_id))
        assert isinstance(event, StockReleased)
        assert event.quantity == self.heaps.pop(order_id)

    @precondition(lambda self: self.heaps)
    @rule(data=st.data(), quantity=few)
    def a_part_of_an_order_leaves(self, data: st.DataObject, quantity: int) -> None:
        order_id = data.draw(st.sampled_from(sorted(self.heaps)))
        try:
            self.ask(dispatch(quantity, order_id, self.a_new("shipment")))
        except DomainError:
            assert quantity > self.heaps[order_id]
        else:
            self.pieces -= quantity
            self.heaps[order_id] -= quantity
            self.heaps = {holder: held for holder, held in self.heaps.items() if held}

    @invariant()
    def the_counts_are_those_of_the_shelf(self) -> None:
        assert self.stock.on_hand == self.pieces
        assert {order_id: hold.quantity for order_id, hold in self.stock.holds.items()} == self.heaps
        assert self.stock.reserved == sum(self.heaps.values()) <= self.pieces


TestShelf = Shelf.TestCase
TestShelf.settings = settings(max_examples=40, stateful_step_count=30)
