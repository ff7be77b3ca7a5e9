"""Every question that the API answers, whichever way it is asked. Raises what `Reading` and `look` raise."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from redis.asyncio import Redis

from infra.auth import Caller
from infra.problems import Problem
from query_api import catalogue, live, orders, past_figures, sales
from query_api.audit.looking import look
from query_api.audit.record import Looks
from query_api.contacts import Contacts, masked_for
from query_api.history.stories import story
from query_api.history.story_parts import Timeline
from query_api.listing import Listing
from query_api.parameters import (
    AsOf,
    DayRange,
    Fresh,
    HourRange,
    OrderQuery,
    ProcessQuery,
    ProductQuery,
    ProductSalesQuery,
    StockQuery,
    TimelineQuery,
)
from query_api.reading import Found, Page, Point, Reading
from query_api.refusals import REASON_NEEDED
from schemas.views import (
    CustomerHistory,
    Dashboard,
    OrderDetail,
    OrderSummary,
    ProcessBoardEntry,
    ProductView,
    StockLevel,
)


class OrderQuestions:
    """A customer sees the own orders; `orders:manage` and auditors see the tenant's."""

    def __init__(self, reading: Reading, contacts: Contacts, looks: Looks) -> None:
        self._reading = reading
        self.looks = looks
        self._contacts = contacts

    @look("/v1/orders", contacts=True)
    async def orders(self, by: Caller, asked: OrderQuery) -> Found[Page[OrderSummary]]:
        return await self._listed("/v1/orders", by, asked, self._orders(by, asked))

    @look("/v1/orders/{order_id}", contacts=True)
    async def order(self, by: Caller, order_id: UUID, asked: Fresh) -> Found[OrderDetail]:
        found = await self._reading.one(asked, orders.order(by, order_id), "order-not-found")
        return replace(found, body=await self._contacts.shown(found.body, by))

    @look("/v1/orders/{order_id}/timeline")
    async def timeline(self, by: Caller, order_id: UUID, asked: TimelineQuery) -> Found[Timeline]:
        await self._reading.fresh("order_details", asked)
        await self._reading.found(orders.order(by, order_id), "order-not-found")
        path = f"/v1/orders/{order_id}/timeline"
        page = await self._reading.page(path, by, asked, orders.timeline(order_id, by.tenant_id))
        told, waiting = await story(self._reading.pool, by, order_id) if asked.story else ((), ())
        body = Timeline(items=page.body.items, next_cursor=page.body.next_cursor, story=told, waiting=waiting)
        return Found(body, page.position)

    @look("/v1/customers/{customer_id}")
    async def customer(self, by: Caller, customer_id: UUID, asked: Fresh) -> Found[CustomerHistory]:
        return await self._reading.one(asked, orders.customer(by, customer_id), "customer-not-found")

    @look("/v1/customers/{customer_id}/orders", contacts=True)
    async def orders_of(self, by: Caller, customer_id: UUID, asked: OrderQuery) -> Found[Page[OrderSummary]]:
        async with self._reading.at("order_summaries", by, asked) as point:
            known = replace(orders.any_of_customer(by, customer_id), schema=point.schema)
            await self._reading.found(known, "customer-not-found")
        listing = orders.of_customer(self._orders(by, asked), customer_id)
        return await self._listed(f"/v1/customers/{customer_id}/orders", by, asked, listing)

    async def known(self, position: int | None) -> None:
        await self._reading.known(position)

    def _orders(self, by: Caller, asked: OrderQuery) -> Listing[OrderSummary]:
        if asked.q and masked_for(by):
            raise Problem(403, *REASON_NEEDED)
        return orders.orders(by, asked, self._contacts.tenants)

    async def _listed(
        self, path: str, by: Caller, asked: OrderQuery, listing: Listing[OrderSummary]
    ) -> Found[Page[OrderSummary]]:
        found = await self._reading.page(path, by, asked, listing)
        items = tuple(await self._contacts.named(found.body.items, by))
        return replace(found, body=found.body.model_copy(update={"items": items}))


class ShopQuestions:
    """About a tenant's catalogue, stock, processes and figures."""

    def __init__(self, reading: Reading, redis: Redis, now: Callable[[], datetime], looks: Looks) -> None:
        self._reading = reading
        self.looks = looks
        self._redis = redis
        self._now = now

    @look("/v1/products")
    async def products(self, by: Caller, asked: ProductQuery) -> Found[Page[ProductView]]:
        return await self._reading.page("/v1/products", by, asked, catalogue.products(by.tenant_id, asked))

    @look("/v1/products/{sku}")
    async def product(self, by: Caller, sku: str, asked: Fresh) -> Found[ProductView]:
        return await self._reading.one(asked, catalogue.product(by.tenant_id, sku), "product-not-found")

    @look("/v1/stock")
    async def stock(self, by: Caller, asked: StockQuery) -> Found[Page[StockLevel]]:
        return await self._reading.page("/v1/stock", by, asked, catalogue.stock(by.tenant_id, asked))

    @look("/v1/stock/{sku}")
    async def stock_level(self, by: Caller, sku: str, asked: Fresh) -> Found[StockLevel]:
        return await self._reading.one(asked, catalogue.stock_level(by.tenant_id, sku), "stock-not-found")

    @look("/v1/processes")
    async def processes(self, by: Caller, asked: ProcessQuery) -> Found[Page[ProcessBoardEntry]]:
        return await self._reading.page("/v1/processes", by, asked, catalogue.processes(by.tenant_id, asked))

    @look("/v1/sales/hourly")
    async def hourly_sales(self, by: Caller, asked: HourRange) -> Found[sales.Hourly]:
        async with self._reading.at("sales_hours", by, asked) as point:
            found = await sales.hourly(self._sold(by, point), asked, asked.as_of or self._now())
        return Found(found, point.position)

    @look("/v1/sales/daily")
    async def daily_sales(self, by: Caller, asked: DayRange) -> Found[sales.Daily]:
        async with self._reading.at("sales_hours", by, asked) as point:
            found = await sales.daily(self._sold(by, point), asked, asked.as_of or self._now())
        return Found(found, point.position)

    @look("/v1/sales/products")
    async def product_sales(self, by: Caller, asked: ProductSalesQuery) -> Found[sales.ByProduct]:
        async with self._reading.at("sales_products", by, asked) as point:
            found = await sales.by_product(self._sold(by, point), asked, asked.as_of or self._now())
        return Found(found, point.position)

    def _sold(self, by: Caller, point: Point) -> sales.Sold:
        return sales.Sold(self._reading.pool, by.tenant_id, point.schema)

    @look("/v1/dashboard")
    async def dashboard(self, by: Caller, asked: AsOf) -> Found[Dashboard]:
        if asked.as_of is not None:
            async with self._reading.at("order_summaries", by, asked) as point:
                figures = await past_figures.dashboard(self._reading.pool, by.tenant_id, asked.as_of, point)
            return Found(figures, point.position)
        await self._reading.known(asked.min_position)
        position = asked.min_position or 0
        figures = await live.dashboard_at(self._redis, by.tenant_id, self._now(), position, within=asked.wait)
        return Found(figures, figures.position)
