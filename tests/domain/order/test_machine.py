"""A confirmed order beside the plainest model of one: pieces in the warehouse, on the road, and at the customer's."""

from collections import Counter
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.aggregates import ORDER
from domain.defects import OrderNotDelivered
from domain.errors import PickExceedsOrder
from domain.order.commands import OrderCommand, RecordDelivery, RecordShipment
from domain.order.state import Order
from schemas.events.order import OrderDelivered, OrderEvent, OrderShipped, Pick
from tests.command_examples import cancel, complete
from tests.examples import a_line, confirmed, placed, uuid

PRICES = {"A": 1, "B": 10, "C": 100}


class Parcels(RuleBasedStateMachine):
    order: Order
    shelf: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.road: set[UUID] = set()
        self.arrived: set[UUID] = set()
        self.worth = 0

    def ask(self, command: OrderCommand) -> list[OrderEvent]:
        events = ORDER.decide(self.order, command)
        for event in events:
            self.order = ORDER.evolve(self.order, event)
        return events

    @initialize(pieces=st.lists(st.integers(1, 3), min_size=1, max_size=3))
    def somebody_orders(self, pieces: list[int]) -> None:
        self.shelf = Counter(dict(zip(PRICES, pieces, strict=False)))
        lines = [a_line(sku, quantity, PRICES[sku]) for sku, quantity in self.shelf.items()]
        self.order = ORDER.evolve(ORDER.evolve(None, placed(*lines)), confirmed(*lines))

    def ship(self, picks: Counter[str]) -> None:
        shipment_id = uuid(f"shipment {len(self.road) + len(self.arrived)}")
        tuples = tuple(Pick(sku=sku, quantity=quantity) for sku, quantity in picks.items())
        (event,) = self.ask(RecordShipment(shipment_id=shipment_id, carrier="DHL", picks=tuples))
        assert isinstance(event, OrderShipped)
        self.shelf -= picks
        self.road.add(shipment_id)
        self.worth += event.amount.amount
        assert event.final is (not self.shelf)

    @precondition(lambda self: self.shelf)
    @rule(data=st.data())
    def a_part_ships(self, data: st.DataObject) -> None:
        sku = data.draw(st.sampled_from(sorted(self.shelf)))
        self.ship(Counter({sku: data.draw(st.integers(1, self.shelf[sku]))}))

    @precondition(lambda self: self.shelf)
    @rule()
    def the_rest_ships(self) -> None:
        self.ship(self.shelf.copy())

    @precondition(lambda self: self.shelf)
    @rule(sku=st.sampled_from(sorted(PRICES)))
    def more_than_there_is_does_not_ship(self, sku: str) -> None:
        picks = (Pick(sku=sku, quantity=self.shelf[sku] + 1),)
        try:
            self.ask(RecordShipment(shipment_id=uuid("too much"), carrier="DHL", picks=picks))
        except PickExceedsOrder as refusal:
            assert (refusal.asked, refusal.left) == (self.shelf[sku] + 1, self.shelf[sku])  # noqa: PT017 - in a machine
        else:
            raise AssertionError

    @precondition(lambda self: self.road)
    @rule(data=st.data())
    def a_parcel_arrives(self, data: st.DataObject) -> None:
        shipment_id = data.draw(st.sampled_from(sorted(self.road)))
        (event,) = self.ask(RecordDelivery(shipment_id=shipment_id))
        self.road.remove(shipment_id)
        self.arrived.add(shipment_id)
        assert isinstance(event, OrderDelivered)
        assert event.final is (not self.shelf and not self.road)

    @precondition(lambda self: self.road or self.arrived)
    @rule()
    def the_process_gives_up_too_late(self) -> None:
        assert self.ask(cancel()) == []

    @rule()
    def the_process_completes_it_if_it_may(self) -> None:
        try:
            self.ask(complete())
        except OrderNotDelivered:
            assert self.shelf or self.road
        else:
            assert not self.shelf
            assert not self.road

    @invariant()
    def nothing_is_lost_on_the_way(self) -> None:
        assert dict(self.order.unshipped) == dict(self.shelf)
        assert self.order.delivered == self.arrived
        left = sum(PRICES[sku] * quantity for sku, quantity in self.shelf.items())
        assert self.worth + left == self.order.total.amount


TestParcels = Parcels.TestCase
TestParcels.settings = settings(max_examples=40, stateful_step_count=30)
