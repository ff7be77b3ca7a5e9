"""Orders, stock, money and fulfilment together, while everything arrives late, twice, crossed or after a crash."""

from collections.abc import Iterable
from contextlib import suppress
from random import Random
from typing import Any, Final
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.aggregate import Aggregate
from domain.aggregates import ORDER, PAYMENT, STOCK
from domain.errors import DomainError
from domain.order.commands import CancelAnyOrder, CancelOwnOrder, PlaceOrder, QuotedLine, RecordDelivery, RecordShipment
from domain.payment.commands import AskRefund
from domain.stock.commands import AdjustStock, ReceiveStock
from schemas.events.order import Pick
from schemas.ids import payment_id, stock_id
from tests.examples import CUSTOMER_ID, SEALED, TENANT, euros, uuid
from tests.given import AnyCommand
from tests.system import audit
from tests.system.books import CAPTURE_REFUSED, DECLINED, GOOD, REFUND_REFUSED
from tests.system.world import World

PRICES: Final = {"A": 100, "B": 7}
skus = st.sampled_from(sorted(PRICES))
parts = st.dictionaries(skus, st.integers(1, 2), min_size=1, max_size=1)
baskets = st.dictionaries(skus, st.integers(1, 3), min_size=1)
TOKENS: Final = (GOOD, GOOD, GOOD, DECLINED, CAPTURE_REFUSED, REFUND_REFUSED)
tokens = st.sampled_from(TOKENS)
which = st.integers(0, 10_000)
"""Names one of those that there are, whatever their number."""
LUCK: Final = ("well", "well", "well", "answer lost", "crash")
moves = st.lists(st.tuples(which, st.sampled_from(LUCK)), min_size=1, max_size=30)
BY: Final = (CancelOwnOrder(customer_id=CUSTOMER_ID), CancelAnyOrder())
KINDS: Final = ("message", "event", "deadline")


class OrderSystem(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.orders: list[UUID] = []
        self.numbers = 0
        self.random = Random(0)

    @initialize(
        seed=st.integers(0, 2**32),
        quantity=st.sampled_from([20, 6, 3, 1]),
        baskets=st.lists(st.tuples(baskets, tokens), max_size=3),
    )
    def the_shop_opens(self, seed: int, quantity: int, baskets: list[tuple[dict[str, int], str]]) -> None:
        """Begin with orders that came in quiet times, so that there is something to ship from the first step on."""
        self.random.seed(seed)
        for sku in PRICES:
            self.ask(STOCK, stock_id(TENANT, sku), ReceiveStock(sku=sku, quantity=quantity))
        for basket, token in baskets:
            self.a_customer_orders(basket, token)
        self.everything_arrives(self.random)

    def ask(self, aggregate: Aggregate[Any, Any, Any], stream_id: UUID, command: AnyCommand) -> None:
        """Ask as a person does, who may be refused."""
        with suppress(DomainError):
            self.world.ask(aggregate, stream_id, command)

    def a_new(self, kind: str) -> UUID:
        self.numbers += 1
        return uuid(f"{kind} {self.numbers}")

    # What people do, at any time

    @rule(sku=skus, delta=st.integers(-4, 4))
    def somebody_counts_or_goods_arrive(self, sku: str, delta: int) -> None:
        count = AdjustStock(sku=sku, delta=delta, reason="count")
        receipt = ReceiveStock(sku=sku, quantity=max(delta, 1))
        self.ask(STOCK, stock_id(TENANT, sku), receipt if delta > 0 else count)

    @rule(basket=baskets, token=tokens)
    def a_customer_orders(self, basket: dict[str, int], token: str) -> None:
        order_id = self.a_new("order")
        lines = tuple(
            QuotedLine(sku=sku, name=sku, quantity=quantity, unit_price=euros(PRICES[sku]), product_version=1)
            for sku, quantity in basket.items()
        )
        place = PlaceOrder(customer_id=CUSTOMER_ID, contact=SEALED, locale="en", lines=lines, payment_token=token)
        self.ask(ORDER, order_id, place)
        self.orders.append(order_id)

    @precondition(lambda self: self.orders)
    @rule(number=which, by=st.sampled_from(BY))
    def somebody_cancels(self, number: int, by: CancelOwnOrder | CancelAnyOrder) -> None:
        self.ask(ORDER, self.orders[number % len(self.orders)], by)

    def confirmed(self) -> list[UUID]:
        """Give the orders that were confirmed and not cancelled."""
        others = {"placed", "cancelled"}
        return [order_id for order_id in self.orders if self.world.order(order_id).status not in others]

    @precondition(lambda self: self.confirmed())
    @rule(number=which, parts=st.none() | parts, amount=st.sampled_from([1, 50, 107]))
    def staff_work_on_an_order(self, number: int, parts: dict[str, int] | None, amount: int) -> None:
        """Ship it, or what they find of it; when all of it has left, deliver it; when it is delivered, be generous."""
        confirmed = self.confirmed()
        order_id = confirmed[number % len(confirmed)]
        order = self.world.order(order_id)
        if order.unshipped and (order.status == "confirmed" or number % 2):
            self.ship(order_id, parts)
        elif on_the_way := sorted(order.shipments - order.delivered):
            self.ask(ORDER, order_id, RecordDelivery(shipment_id=on_the_way[0]))
        else:
            refund = AskRefund(refund_id=self.a_new("refund"), amount=euros(amount), reason="goodwill")
            self.ask(PAYMENT, payment_id(order_id), refund)

    def ship(self, order_id: UUID, parts: dict[str, int] | None) -> None:
        picks = tuple(Pick(sku=sku, quantity=quantity) for sku, quantity in (parts or {}).items())
        shipment_id = self.a_new("shipment")
        self.ask(ORDER, order_id, RecordShipment(shipment_id=shipment_id, carrier="CTT", picks=picks or None))

    # What the machinery does, and what happens to it

    @rule(moves=moves)
    def time_passes(self, moves: list[tuple[int, str]]) -> None:
        for number, luck in moves:
            self.move(number, luck)

    @rule(seed=which)
    def a_calm_hour_goes_by(self, seed: int) -> None:
        self.everything_arrives(Random(seed))

    def move(self, number: int, luck: str) -> None:
        sent, untold = list(self.world.wire.values()), self.world.untold()
        possible = len(sent) + len(untold)
        if not possible:
            return
        chosen = number % possible
        if chosen < len(sent):
            self.world.deliver(sent[chosen], crash=luck == "crash")
            if luck == "answer lost":
                self.world.send([sent[chosen]])
        else:
            stream = self.world.streams[untold[chosen - len(sent)]]
            self.world.tell(stream[-1 if luck == "crash" else self.world.seen[stream[0].stream_id]])

    @precondition(lambda self: self.world.log)
    @rule(number=which, kind=st.sampled_from(KINDS))
    def something_old_comes_again(self, number: int, kind: str) -> None:
        """Or an event comes before its time, when the process has not seen those before it."""
        world = self.world
        if kind == "message" and world.delivered:
            world.deliver(world.delivered[number % len(world.delivered)])
        elif kind == "deadline" and world.deadlines:
            world.tell_deadline(world.deadlines[number % len(world.deadlines)])
        else:
            world.tell(world.log[number % len(world.log)])

    @precondition(lambda self: self.world.waiting())
    @rule(number=which)
    def a_deadline_passes(self, number: int) -> None:
        waiting = self.world.waiting()
        self.world.fire(waiting[number % len(waiting)])

    @rule()
    def the_process_is_rebuilt_from_the_log(self) -> None:
        self.world.rebuild_processes()

    # What must be true

    @invariant()
    def nothing_is_broken(self) -> None:
        audit.at_every_moment(self.world)

    def teardown(self) -> None:
        self.all_waits_end()
        for process in self.world.processes.values():
            assert process.ended or process.phase == "attention"
        self.staff_finish(self.orders)
        self.all_waits_end()
        audit.at_every_moment(self.world)
        audit.when_all_is_quiet(self.world)

    def all_waits_end(self) -> None:
        """Deliver everything, in any order, and let every deadline pass."""
        self.everything_arrives(self.random)
        while waiting := self.world.waiting():
            self.world.fire(self.random.choice(waiting))
            self.everything_arrives(self.random)

    def everything_arrives(self, random: Random) -> None:
        while self.world.wire or self.world.untold():
            self.move(random.randrange(10_000), "well")

    def staff_finish(self, orders: Iterable[UUID]) -> None:
        for order_id in orders:
            if self.world.order(order_id).shipments:
                self.ship(order_id, None)
            for shipment_id in sorted(self.world.order(order_id).shipments):
                self.ask(ORDER, order_id, RecordDelivery(shipment_id=shipment_id))
