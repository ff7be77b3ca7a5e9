"""Answers HTTP requests by gRPC calls, so that whatever drives the APIs over HTTP drives them over gRPC, unchanged."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import parse_qs, unquote

import grpc
import httpx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RequestInfo, RetryInfo
from google.rpc.status_pb2 import Status
from orderflow.queries.v1 import order_query_service_pb2 as order_queries
from orderflow.queries.v1.order_query_service_pb2_grpc import OrderQueryServiceStub

from infra.rpc.values import filled
from tests.grpc_methods import METHODS, Method

Json = dict[str, Any]

METADATA: Final = ("authorization", "idempotency-key", "if-match", "traceparent", "x-request-id", "reveal-reason")
_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "filter": ("status", "payment_status", "customer_id", "q", "placed_from", "placed_to"),
    "paging": ("limit", "cursor"),
    "fresh": ("min_position", "wait"),
}
_NUMBERS: Final = frozenset({"limit", "min_position", "available_below", "at_version", "from_version", "to_version"})
_SECONDS: Final = 20.0


class GrpcEdge(httpx.BaseTransport):
    """Give it to httpx for the base URL of an API; what is no call of the API goes over HTTP.

    What gRPC has no place for and HTTP says twice (ETag, Location, X-Position) is made from the answer.
    """

    def __init__(self, target: str, query_url: str) -> None:
        self._channel = grpc.insecure_channel(target)
        self._query_url = query_url
        self._http = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = unquote(request.url.path)
        if path == "/v1/stream":
            return self._stream(request)
        for method in METHODS:
            named = method.named(request.method, path)
            if named is not None and not _needs_http(method, request):
                return self._call(method, request, named)
        return self._http.handle_request(request)

    def close(self) -> None:
        self._channel.close()
        self._http.close()

    def _call(self, method: Method, request: httpx.Request, named: Mapping[str, str]) -> httpx.Response:
        asked = _body(request) if method.verb == "POST" else _query(request, method.request)
        try:
            message = filled(method.request, {**asked, **named})
            call = method.call(self._channel)
            answer = call(message, metadata=metadata_of(request.headers), timeout=_SECONDS)
        except grpc.RpcError as refused:
            return problem_response(refused)
        return self._answer(method, whole(answer))

    def _answer(self, method: Method, told: Json) -> httpx.Response:
        headers = {"x-position": str(told["position"])}
        body = told if method.inner is None else told[method.inner]
        if method.verb == "GET":
            if "next_cursor" in body:
                body["next_cursor"] = body["next_cursor"] or None
            if method.name == "GetDashboard":
                body["orders_by_status"] = {row["status"]: row["orders"] for row in body["orders_by_status"]}
            elif method.inner is None:
                body.pop("position")
        else:
            headers["etag"] = f'"{body["version"]}"'
            if body.pop("replayed"):
                headers["idempotency-replayed"] = "true"
            if method.name == "PlaceOrder":
                headers["location"] = f"{self._query_url}/v1/orders/{body['order_id']}"
        return httpx.Response(method.status, json=body, headers=headers)

    def _stream(self, request: httpx.Request) -> httpx.Response:
        watching = OrderQueryServiceStub(self._channel).WatchOrders(
            filled(order_queries.WatchOrdersRequest, _first_values(request)), metadata=metadata_of(request.headers)
        )
        return httpx.Response(200, stream=_Events(watching))


class _Events(httpx.SyncByteStream):
    def __init__(self, watching: Any) -> None:  # noqa: ANN401  # a call of grpc
        self._watching = watching

    def __iter__(self) -> Iterator[bytes]:
        yield b": here\n\n"
        for told in self._watching:
            if told.WhichOneof("event") == "change":
                yield f"data: {json.dumps(whole(told.change))}\n\n".encode()

    def close(self) -> None:
        self._watching.cancel()


def metadata_of(headers: httpx.Headers) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in headers.multi_items() if name in METADATA)


def problem_response(refused: Any) -> httpx.Response:  # noqa: ANN401  # grpc.RpcError that is a call
    """Give the problem document that the details of a status stand for."""
    details = dict(refused.trailing_metadata() or ())["grpc-status-details-bin"]
    status = Status.FromString(details)
    problem, headers = problem_of(status), {"content-type": "application/problem+json"}
    if seconds := retry_after(status):
        headers["retry-after"] = str(seconds)
    return httpx.Response(problem["status"], json=problem, headers=headers)


def retry_after(status: Status) -> int:
    retry = RetryInfo()
    for detail in status.details:
        detail.Unpack(retry)
    return int(retry.retry_delay.seconds)


def problem_of(status: Status) -> Json:
    info, request, bad, retry = ErrorInfo(), RequestInfo(), BadRequest(), RetryInfo()
    for detail in status.details:
        for kind in (info, request, bad, retry):
            detail.Unpack(kind)
    told: Json = {**info.metadata, "status": int(info.metadata["status"]), "detail": status.message}
    told["instance"] = f"urn:uuid:{request.request_id}"
    if bad.field_violations:
        told["errors"] = [
            {"pointer": _pointer(each.field), "detail": each.description} for each in bad.field_violations
        ]
    return told


def whole(message: Message) -> Json:
    """Give every field as the JSON APIs have it, those that hold nothing as well."""
    return {field.name: _value(message, field) for field in message.DESCRIPTOR.fields}


def _value(message: Message, field: Any) -> Any:  # noqa: ANN401  # a field is of any type
    value = getattr(message, field.name)
    if field.is_repeated:
        return [_one(field, each) for each in value]
    if field.has_presence and not message.HasField(field.name):
        return None
    return _one(field, value)


def _one(field: Any, value: Any) -> Any:  # noqa: ANN401, PLR0911  # a field is of any type
    if field.enum_type is not None:
        prefix = field.enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED")
        return field.enum_type.values_by_number[value].name.removeprefix(prefix).lower() if value else None
    match field.message_type and field.message_type.full_name:
        case None:
            return value
        case "google.type.Money":
            return {"amount": value.units * 100 + value.nanos // 10_000_000, "currency": value.currency_code}
        case "google.protobuf.Timestamp":
            return value.ToDatetime().isoformat() + "Z"
        case "google.type.Date":
            return date(value.year, value.month, value.day).isoformat()
        case "google.protobuf.Struct" | "google.protobuf.Value":
            return MessageToDict(value)
        case _:
            return whole(value)


def _needs_http(method: Method, request: httpx.Request) -> bool:
    """Tell what only HTTP has: conditional reads, and members that a protobuf message cannot carry."""
    unknown = request.method == "POST" and _body(request).keys() - method.request.DESCRIPTOR.fields_by_name.keys()
    return "if-none-match" in request.headers or bool(unknown)


def _body(request: httpx.Request) -> Json:
    body: Json = json.loads(request.content or b"{}")
    return body


def _query(request: httpx.Request, kind: type[Message]) -> Json:
    fields: Mapping[str, Any] = kind.DESCRIPTOR.fields_by_name
    given = parse_qs(request.url.query.decode())
    asked: Json = {}
    for name, values in given.items():
        group = next((group for group, names in _GROUPS.items() if name in names and group in fields), None)
        found = fields[group].message_type.fields_by_name[name] if group else fields[name]
        value = _typed(found, values)
        (asked.setdefault(group, {}) if group else asked)[name] = value
    return asked


def _typed(field: Any, values: list[str]) -> Any:  # noqa: ANN401, PLR0911  # a field is of any type
    if field.is_repeated:
        return values
    (text,) = values
    if field.name == "sort":
        return text if not text.startswith("-") else f"{text[1:]}_descending"
    if field.message_type is not None and field.message_type.name == "Timestamp":
        return datetime.fromisoformat(text)
    if field.message_type is not None and field.message_type.name == "Date":
        return date.fromisoformat(text)
    if field.name in _NUMBERS:
        return int(text)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return text == "true"
    return float(text) if field.name == "wait" else text


def _first_values(request: httpx.Request) -> Json:
    return {name: values[0] for name, values in parse_qs(request.url.query.decode()).items()}


def _pointer(field: str) -> str:
    return "/" + re.sub(r"\[(\d+)\]", r"/\1", field).replace(".", "/")
