"""Two write APIs on one log, and many commands on one stream: what one remembers, the other may have changed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from domain.aggregates import ORDER, PRODUCT, STOCK
from domain.errors import OrderNotFound, ProductOffSale
from domain.order.commands import CancelAnyOrder
from domain.product.commands import RepriceProduct, RetireProduct
from domain.stock.commands import ReceiveStock
from infra.appender import Appender, ConcurrentChange, Once
from infra.event_log import EventLog, Stored
from schemas.base import Trace
from schemas.ids import new_id, product_id, stock_id
from schemas.money import Money
from schemas.recorded import GENESIS, digest
from tests.edges.write.shop import Shop
from write_api.handler import Asked, Done, Handler, Target
from write_api.receipts import Receipt
from write_api.streams import Streams

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]


def asked(shop: Shop, key: str | None = None) -> Asked:
    trace = Trace(correlation_id=new_id(), causation_id=new_id())
    once = Once(shop.tenant_id, "user:ana", key or str(uuid4()), sha256(b"").digest())
    return Asked(shop.tenant_id, "user:ana", trace, once)


def receipt(_state: object, version: int) -> Receipt:
    return Receipt(version=version)


class Office:
    """A write side of its own: what it remembers, it remembers alone."""

    def __init__(self, shop: Shop, appender: Appender) -> None:
        self.shop = shop
        self.streams = Streams(shop.runtime.log)
        self.handler = Handler(self.streams, appender, now=lambda: datetime.now(UTC), new_id=new_id)

    async def reprice(self, amount: int, key: str | None = None) -> Done:
        target = Target(PRODUCT, product_id(self.shop.tenant_id, "COFFEE"), receipt)
        command = RepriceProduct(sku="COFFEE", price=Money(amount=amount, currency="EUR"))
        return await self.handler.handle(target, command, asked(self.shop, key))

    async def retire(self) -> Done:
        target = Target(PRODUCT, product_id(self.shop.tenant_id, "COFFEE"), receipt)
        return await self.handler.handle(target, RetireProduct(sku="COFFEE"), asked(self.shop))

    async def receive(self) -> Done:
        target = Target(STOCK, stock_id(self.shop.tenant_id, "COFFEE"), receipt)
        return await self.handler.handle(target, ReceiveStock(sku="COFFEE", quantity=1), asked(self.shop))


@pytest_asyncio.fixture(loop_scope="module")
async def appender(shop: Shop) -> AsyncIterator[Appender]:
    async with Appender(shop.runtime.settings.postgres_dsn.get_secret_value(), shop.runtime.pool) as appender:
        yield appender


@pytest.fixture
def offices(shop: Shop, appender: Appender) -> tuple[Office, Office]:
    return Office(shop, appender), Office(shop, appender)


async def test_a_change_by_another_process_is_not_overwritten(shop: Shop, offices: tuple[Office, Office]) -> None:
    here, there = offices
    await shop.sell_coffee()
    await here.reprice(1)
    await there.reprice(2)
    await here.reprice(3)
    events = await shop.events()
    assert [stored.version for stored in events] == [1, 2, 3, 4]
    assert [stored.recorded.prev for stored in events] == [GENESIS, *(digest(stored.state) for stored in events[:-1])]


async def test_a_refusal_is_never_given_on_what_is_only_remembered(shop: Shop, offices: tuple[Office, Office]) -> None:
    here, there = offices
    await shop.sell_coffee()
    await here.retire()
    await there.retire()
    await shop.sell_coffee()
    await here.reprice(1)
    assert (await shop.topics())[-1] == "product.repriced.v1"


async def test_what_is_remembered_as_done_is_done_again_when_another_process_undid_it(
    shop: Shop, offices: tuple[Office, Office]
) -> None:
    here, there = offices
    await shop.sell_coffee()
    await here.reprice(1)
    await there.reprice(2)
    await here.reprice(1)
    assert len(await shop.events()) == 4


async def test_a_refusal_on_what_the_log_holds_reaches_the_caller(shop: Shop, offices: tuple[Office, Office]) -> None:
    here, there = offices
    await shop.sell_coffee()
    await here.reprice(1)
    await there.retire()
    with pytest.raises(ProductOffSale):
        await here.reprice(3)


async def test_many_commands_of_two_processes_on_one_stream_are_all_carried_out_once(
    shop: Shop, offices: tuple[Office, Office]
) -> None:
    done = await asyncio.gather(*(_persistently(office) for office in offices * 20))
    events = await shop.events()
    assert [stored.version for stored in events] == list(range(1, 41))
    assert sorted(each.position for each in done) == [stored.position for stored in events]


async def _persistently(office: Office) -> Done:
    while True:
        try:
            return await office.receive()
        except ConcurrentChange:
            await asyncio.sleep(0)


async def test_a_repeat_at_another_process_gets_the_first_answer(shop: Shop, offices: tuple[Office, Office]) -> None:
    here, there = offices
    await shop.sell_coffee()
    first = await here.reprice(1, key="once")
    again = await there.reprice(1, key="once")
    assert again == replace(first, replayed=True)


async def test_the_price_set_by_another_process_is_charged_as_soon_as_the_feed_tells(
    shop: Shop, offices: tuple[Office, Office]
) -> None:
    here, there = offices
    await shop.sell_coffee()
    coffee = product_id(shop.tenant_id, "COFFEE")
    head = await shop.runtime.log.head()
    before = await here.streams.recent(PRODUCT, coffee)
    await there.reprice(2)
    remembered = await here.streams.recent(PRODUCT, coffee)
    for stored in await shop.runtime.feed.read(after=head, wait=5):
        here.streams.notice(stored)
    told = await here.streams.recent(PRODUCT, coffee)
    assert (before.version, remembered.version, told.version) == (1, 1, 2)


async def test_another_tenants_stream_does_not_exist_even_when_it_is_remembered(
    shop: Shop, offices: tuple[Office, Office]
) -> None:
    order_id = await shop.place()
    here, _ = offices
    await here.streams.load(ORDER, order_id)
    stranger = asked(shop.as_("ana", tenant_id=f"{shop.tenant_id}-other"))
    with pytest.raises(OrderNotFound):
        await here.handler.handle(Target(ORDER, order_id, receipt), CancelAnyOrder(), stranger)


async def test_only_so_many_streams_are_remembered(shop: Shop) -> None:
    streams = Streams(shop.runtime.log, limit=2)
    order_ids = [await shop.place() for _ in range(3)]
    for order_id in order_ids:
        await streams.load(ORDER, order_id)
    assert [streams.remembered(order_id) is None for order_id in order_ids] == [True, False, False]


class OvertakenLog(EventLog):
    """Whatever is read has changed before the reader gets it."""

    overtake: Callable[[], Awaitable[None]]

    async def load(self, stream_id: UUID, *, after_version: int = 0) -> list[Stored]:
        history = await super().load(stream_id, after_version=after_version)
        await self.overtake()
        return history


async def test_what_changed_while_it_was_being_read_is_not_remembered(
    shop: Shop, offices: tuple[Office, Office]
) -> None:
    await shop.sell_coffee()
    log = OvertakenLog(shop.runtime.pool)
    streams = Streams(log)

    async def overtake() -> None:
        done = await offices[0].reprice(2)
        for stored in await shop.runtime.log.read(after=done.position - 1, limit=1):
            streams.notice(stored)

    log.overtake = overtake
    coffee = product_id(shop.tenant_id, "COFFEE")
    assert (await streams.load(PRODUCT, coffee)).version == 1
    assert streams.remembered(coffee) is None


class HeldLog(EventLog):
    """What was read reaches its reader when it is let go."""

    held: asyncio.Queue[asyncio.Event]

    async def load(self, stream_id: UUID, *, after_version: int = 0) -> list[Stored]:
        history = await super().load(stream_id, after_version=after_version)
        self.held.put_nowait(let_go := asyncio.Event())
        await let_go.wait()
        return history


async def test_what_changed_while_two_were_reading_it_is_remembered_for_neither(
    shop: Shop, offices: tuple[Office, Office]
) -> None:
    await shop.sell_coffee()
    log = HeldLog(shop.runtime.pool)
    log.held = asyncio.Queue()
    streams, coffee = Streams(log), product_id(shop.tenant_id, "COFFEE")
    loads = [asyncio.create_task(streams.load(PRODUCT, coffee)) for _ in range(2)]
    first, second = await log.held.get(), await log.held.get()
    first.set()
    await asyncio.wait(loads, return_when=asyncio.FIRST_COMPLETED)
    done = await offices[0].reprice(2)
    for stored in await shop.runtime.log.read(after=done.position - 1, limit=1):
        streams.notice(stored)
    second.set()
    assert [(await load).version for load in loads] == [1, 1]
    assert streams.remembered(coffee) is None
