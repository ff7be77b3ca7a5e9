"""Which call of gRPC stands for which route of HTTP."""

import re
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from infra.rpc.client import methods

SERVICES: Final = {method.containing_service.name: method.containing_service for method in methods()}


@dataclass(frozen=True, slots=True)
class Method:
    verb: str
    path: str
    service: str
    name: str
    status: int = 200
    inner: str | None = None
    """The part of the answer that HTTP gives as the whole."""

    @property
    def request(self) -> type[Message]:
        return GetMessageClass(SERVICES[self.service].methods_by_name[self.name].input_type)

    @property
    def full_name(self) -> str:
        return f"/{SERVICES[self.service].full_name}/{self.name}"

    def call(self, channel: grpc.Channel) -> Any:  # noqa: ANN401  # grpc makes it
        answer = GetMessageClass(SERVICES[self.service].methods_by_name[self.name].output_type)
        return channel.unary_unary(
            self.full_name, request_serializer=self.request.SerializeToString, response_deserializer=answer.FromString
        )

    def named(self, verb: str, path: str) -> dict[str, str] | None:
        """Give the parts that a path names; None when this is not its route."""
        matched = re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", self.path), path)
        return matched.groupdict() if matched and verb == self.verb else None


_ORDERS: Final = "OrderCommandService"
_SHOP: Final = "CatalogueCommandService"
_SEEN: Final = "OrderQueryService"
_SHELF: Final = "CatalogueQueryService"
_FIGURES: Final = "OperationsQueryService"
_PAST: Final = "HistoryQueryService"
_LOOKS: Final = "AuditQueryService"
METHODS: Final = (
    Method("POST", "/v1/orders", _ORDERS, "PlaceOrder", 201),
    Method("POST", "/v1/orders/{order_id}/cancellation", _ORDERS, "CancelOrder"),
    Method("POST", "/v1/orders/{order_id}/shipments", _ORDERS, "RecordShipment", 201),
    Method("POST", "/v1/orders/{order_id}/shipments/{shipment_id}/delivery", _ORDERS, "RecordDelivery"),
    Method("POST", "/v1/orders/{order_id}/erasure", _ORDERS, "EraseContact"),
    Method("POST", "/v1/orders/{order_id}/refunds", _ORDERS, "AskRefund", 201),
    Method("POST", "/v1/products", _SHOP, "ListProduct", 201),
    Method("POST", "/v1/products/{sku}/price", _SHOP, "RepriceProduct"),
    Method("POST", "/v1/products/{sku}/retirement", _SHOP, "RetireProduct"),
    Method("POST", "/v1/stock/{sku}/receipts", _SHOP, "ReceiveStock", 201),
    Method("POST", "/v1/stock/{sku}/adjustments", _SHOP, "AdjustStock"),
    Method("GET", "/v1/orders", _SEEN, "ListOrders"),
    Method("GET", "/v1/orders/{order_id}", _SEEN, "GetOrder", inner="order"),
    Method("GET", "/v1/orders/{order_id}/timeline", _SEEN, "GetTimeline"),
    Method("GET", "/v1/customers/{customer_id}", _SEEN, "GetCustomer", inner="customer"),
    Method("GET", "/v1/customers/{customer_id}/orders", _SEEN, "ListCustomerOrders"),
    Method("GET", "/v1/products", _SHELF, "ListProducts"),
    Method("GET", "/v1/products/{sku}", _SHELF, "GetProduct", inner="product"),
    Method("GET", "/v1/stock", _SHELF, "ListStock"),
    Method("GET", "/v1/stock/{sku}", _SHELF, "GetStock", inner="stock"),
    Method("GET", "/v1/processes", _FIGURES, "ListProcesses"),
    Method("GET", "/v1/sales/hourly", _FIGURES, "GetHourlySales"),
    Method("GET", "/v1/sales/daily", _FIGURES, "GetDailySales"),
    Method("GET", "/v1/sales/products", _FIGURES, "GetProductSales"),
    Method("GET", "/v1/dashboard", _FIGURES, "GetDashboard"),
    Method("GET", "/v1/{kind}/{key}/state", _PAST, "GetState", inner="past"),
    Method("GET", "/v1/{kind}/{key}/diff", _PAST, "GetDiff", inner="difference"),
    Method("GET", "/v1/audit/looks", _LOOKS, "ListLooks"),
)
"""One for each route of both APIs but the stream."""
