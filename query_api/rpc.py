"""Questions over gRPC: each call becomes the query that HTTP takes, and is answered from the same views."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from uuid import UUID

from grpc.aio import Server
from orderflow.queries.v1 import audit_query_service_pb2 as audit_pb
from orderflow.queries.v1 import catalogue_query_service_pb2 as catalogue_pb
from orderflow.queries.v1 import history_query_service_pb2 as history_pb
from orderflow.queries.v1 import operations_query_service_pb2 as operations_pb
from orderflow.queries.v1 import order_query_service_pb2 as order_pb
from orderflow.queries.v1.audit_query_service_pb2_grpc import add_AuditQueryServiceServicer_to_server
from orderflow.queries.v1.catalogue_query_service_pb2_grpc import (
    CatalogueQueryServiceServicer,
    add_CatalogueQueryServiceServicer_to_server,
)
from orderflow.queries.v1.history_query_service_pb2_grpc import add_HistoryQueryServiceServicer_to_server
from orderflow.queries.v1.operations_query_service_pb2_grpc import (
    OperationsQueryServiceServicer,
    add_OperationsQueryServiceServicer_to_server,
)
from orderflow.queries.v1.order_query_service_pb2_grpc import (
    OrderQueryServiceServicer,
    add_OrderQueryServiceServicer_to_server,
)

from infra.auth import Auth, Caller
from infra.rpc.refusing import Context
from infra.rpc.server import Ready, Services
from infra.rpc.values import filled
from query_api.audit.questions import AuditQuestions
from query_api.audit.rpc import AuditQueries
from query_api.audit.viewers import viewer
from query_api.history.questions import PastQuestions
from query_api.history.rpc import HistoryQueries
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
from query_api.questions import OrderQuestions, ShopQuestions
from query_api.refusals import problem_of
from query_api.rpc_messages import asked, one, page
from query_api.stream import Listener, Streams


def services(  # noqa: PLR0913  # everything that is served
    about_orders: OrderQuestions,
    about_shop: ShopQuestions,
    about_the_past: PastQuestions,
    about_looks: AuditQuestions,
    streams: Streams,
    *,
    auth: Auth,
    ready: Ready,
) -> Services:
    """Give what the query API serves over gRPC."""

    def add(server: Server) -> None:
        add_OrderQueryServiceServicer_to_server(OrderQueries(about_orders, streams), server)
        add_CatalogueQueryServiceServicer_to_server(CatalogueQueries(about_shop), server)
        add_OperationsQueryServiceServicer_to_server(OperationsQueries(about_shop), server)
        add_HistoryQueryServiceServicer_to_server(HistoryQueries(about_the_past), server)
        add_AuditQueryServiceServicer_to_server(AuditQueries(about_looks), server)

    contracts = (
        order_pb.DESCRIPTOR,
        catalogue_pb.DESCRIPTOR,
        operations_pb.DESCRIPTOR,
        history_pb.DESCRIPTOR,
        audit_pb.DESCRIPTOR,
    )
    names = tuple(service.full_name for file in contracts for service in file.services_by_name.values())
    return Services(add, names, auth, problem_of, ready)


class OrderQueries(OrderQueryServiceServicer):
    def __init__(self, questions: OrderQuestions, streams: Streams) -> None:
        self._questions = questions
        self._streams = streams

    async def ListOrders(self, request: order_pb.ListOrdersRequest, _: Context) -> order_pb.ListOrdersResponse:
        found = await self._questions.orders(_reader(), asked(OrderQuery, request))
        return page(order_pb.ListOrdersResponse, found)

    async def GetOrder(self, request: order_pb.GetOrderRequest, _: Context) -> order_pb.GetOrderResponse:
        question = asked(Fresh, request, "order_id")
        found = await self._questions.order(_reader(), UUID(request.order_id), question)
        return one(order_pb.GetOrderResponse, "order", found)

    async def GetTimeline(self, request: order_pb.GetTimelineRequest, _: Context) -> order_pb.GetTimelineResponse:
        question = asked(TimelineQuery, request, "order_id")
        found = await self._questions.timeline(_reader(), UUID(request.order_id), question)
        return page(order_pb.GetTimelineResponse, found)

    async def GetCustomer(self, request: order_pb.GetCustomerRequest, _: Context) -> order_pb.GetCustomerResponse:
        question = asked(Fresh, request, "customer_id")
        found = await self._questions.customer(_reader(), UUID(request.customer_id), question)
        return one(order_pb.GetCustomerResponse, "customer", found)

    async def ListCustomerOrders(
        self, request: order_pb.ListCustomerOrdersRequest, _: Context
    ) -> order_pb.ListCustomerOrdersResponse:
        question = asked(OrderQuery, request, "customer_id")
        found = await self._questions.orders_of(_reader(), UUID(request.customer_id), question)
        return page(order_pb.ListCustomerOrdersResponse, found)

    async def WatchOrders(
        self, request: order_pb.WatchOrdersRequest, _: Context
    ) -> AsyncIterator[order_pb.WatchOrdersResponse]:
        by = _reader()
        after = request.after_position if request.HasField("after_position") else None
        await self._questions.known(after)
        listener = Listener(by, UUID(request.order_id) if request.order_id else None)
        await self._streams.looked(listener)
        async with asynccontextmanager(self._streams.admit)(), aclosing(self._streams.told(listener, after)) as told:
            async for each in told:
                event: object = {} if each.notice is None else each.notice.change
                yield filled(order_pb.WatchOrdersResponse, {each.kind: event, "position": each.position})


class CatalogueQueries(CatalogueQueryServiceServicer):
    def __init__(self, questions: ShopQuestions) -> None:
        self._questions = questions

    async def ListProducts(
        self, request: catalogue_pb.ListProductsRequest, _: Context
    ) -> catalogue_pb.ListProductsResponse:
        found = await self._questions.products(viewer(), asked(ProductQuery, request))
        return page(catalogue_pb.ListProductsResponse, found)

    async def GetProduct(self, request: catalogue_pb.GetProductRequest, _: Context) -> catalogue_pb.GetProductResponse:
        question = asked(Fresh, request, "sku")
        found = await self._questions.product(viewer(), request.sku, question)
        return one(catalogue_pb.GetProductResponse, "product", found)

    async def ListStock(self, request: catalogue_pb.ListStockRequest, _: Context) -> catalogue_pb.ListStockResponse:
        found = await self._questions.stock(_stockroom(), asked(StockQuery, request))
        return page(catalogue_pb.ListStockResponse, found)

    async def GetStock(self, request: catalogue_pb.GetStockRequest, _: Context) -> catalogue_pb.GetStockResponse:
        found = await self._questions.stock_level(_stockroom(), request.sku, asked(Fresh, request, "sku"))
        return one(catalogue_pb.GetStockResponse, "stock", found)


class OperationsQueries(OperationsQueryServiceServicer):
    def __init__(self, questions: ShopQuestions) -> None:
        self._questions = questions

    async def ListProcesses(
        self, request: operations_pb.ListProcessesRequest, _: Context
    ) -> operations_pb.ListProcessesResponse:
        found = await self._questions.processes(_staff(), asked(ProcessQuery, request))
        return page(operations_pb.ListProcessesResponse, found)

    async def GetHourlySales(
        self, request: operations_pb.GetHourlySalesRequest, _: Context
    ) -> operations_pb.GetHourlySalesResponse:
        found = await self._questions.hourly_sales(_staff(), asked(HourRange, request))
        return page(operations_pb.GetHourlySalesResponse, found)

    async def GetDailySales(
        self, request: operations_pb.GetDailySalesRequest, _: Context
    ) -> operations_pb.GetDailySalesResponse:
        found = await self._questions.daily_sales(_staff(), asked(DayRange, request))
        return page(operations_pb.GetDailySalesResponse, found)

    async def GetProductSales(
        self, request: operations_pb.GetProductSalesRequest, _: Context
    ) -> operations_pb.GetProductSalesResponse:
        found = await self._questions.product_sales(_staff(), asked(ProductSalesQuery, request))
        return page(operations_pb.GetProductSalesResponse, found)

    async def GetDashboard(
        self, request: operations_pb.GetDashboardRequest, _: Context
    ) -> operations_pb.GetDashboardResponse:
        figures = (await self._questions.dashboard(_staff(), asked(AsOf, request))).body
        counts = [{"status": status, "orders": orders} for status, orders in figures.orders_by_status.items()]
        return filled(operations_pb.GetDashboardResponse, {**dict(figures), "orders_by_status": counts})


def _reader() -> Caller:
    return viewer("orders:read", "orders:manage")


def _stockroom() -> Caller:
    return viewer("operations:read", "stock:manage")


def _staff() -> Caller:
    return viewer("operations:read")
