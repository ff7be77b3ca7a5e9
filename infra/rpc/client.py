"""Calls any method of the contracts by its name, with JSON either way: what `orderflow rpc` is made of."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from orderflow.commands.v1 import catalogue_command_service_pb2, order_command_service_pb2
from orderflow.queries.v1 import (
    audit_query_service_pb2,
    catalogue_query_service_pb2,
    history_query_service_pb2,
    operations_query_service_pb2,
    order_query_service_pb2,
)

from infra.rpc.refusing import DETAILS

Metadata = Sequence[tuple[str, str]]

_UNANSWERED: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
_CONTRACTS: Final = (
    order_command_service_pb2,
    catalogue_command_service_pb2,
    order_query_service_pb2,
    catalogue_query_service_pb2,
    operations_query_service_pb2,
    history_query_service_pb2,
    audit_query_service_pb2,
)


class NoSuchMethod(Exception):  # noqa: N818  # a state of the world
    """No contract has it."""


class CallRefused(Exception):  # noqa: N818  # a state of the world
    """The server answered with a status; says its sentence, and what is wrong with which field."""


class CallUnanswered(CallRefused):
    """The client made the status up: nobody listens there, or not in time."""


def methods() -> list[MethodDescriptor]:
    """Give every method of every service, in the order of the contracts."""
    return [
        method
        for contract in _CONTRACTS
        for service in contract.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]


def find(name: str) -> MethodDescriptor:
    """Give a method by `Service/Method`, with or without the package; raises NoSuchMethod."""
    for method in methods():
        if f"/{method.containing_service.full_name}/{method.name}".endswith(f"/{name}") or name in {
            f"{method.containing_service.name}/{method.name}",
            method.name,
        }:
            return method
    raise NoSuchMethod(name)


def is_command(method: MethodDescriptor) -> bool:
    return ".commands." in method.containing_service.full_name


def call(
    channel: grpc.Channel, method: MethodDescriptor, requests: Sequence[Any], metadata: Metadata, seconds: float
) -> Iterator[dict[str, Any]]:
    """Give each answer as JSON; one, unless the method streams. Raises CallRefused, and ValueError for a request."""
    request, answer = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    path = f"/{method.containing_service.full_name}/{method.name}"
    try:
        sent = [ParseDict(each, request()) for each in requests]
    except ParseError as wrong:
        raise ValueError(str(wrong)) from None
    dial: Any = channel  # which message a call carries is known at run time only
    coded = {"request_serializer": request.SerializeToString, "response_deserializer": answer.FromString}
    try:
        if method.client_streaming:
            yield _json(dial.stream_unary(path, **coded)(iter(sent), metadata=metadata, timeout=seconds))
        elif method.server_streaming:
            for told in dial.unary_stream(path, **coded)(sent[0], metadata=metadata):
                yield _json(told)
        else:
            yield _json(dial.unary_unary(path, **coded)(sent[0], metadata=metadata, timeout=seconds))
    except grpc.RpcError as refused:
        raise _meant(refused) from refused


def _json(message: Message) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True)


def _meant(refused: Any) -> CallRefused:  # noqa: ANN401  # grpc.RpcError that is a call
    said = f"{refused.code().name}: {refused.details()}"
    details = dict(refused.trailing_metadata() or ()).get(DETAILS)
    if details is None:  # our servers always give some
        unanswered = refused.code() in _UNANSWERED
        return CallUnanswered(f"No answer: {said}") if unanswered else CallRefused(f"Refused: {said}")
    info, bad = ErrorInfo(), BadRequest()
    for detail in Status.FromString(details).details:
        detail.Unpack(info)
        detail.Unpack(bad)
    fields = "".join(f" {each.field} {each.description}." for each in bad.field_violations)
    return CallRefused(f"Refused: {said}{fields} ({info.metadata['type']})")


def parsed(text: str) -> list[Any]:
    """Give the JSON values of a text: one, or one on each line. Raises ValueError."""
    try:
        return [json.loads(text)]
    except ValueError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
