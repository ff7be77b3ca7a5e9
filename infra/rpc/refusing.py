"""Problems as gRPC says them: a status code with google.rpc details that carry the same as the problem document."""

import re
from typing import Any, Final, NoReturn
from uuid import UUID

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RequestInfo, RetryInfo
from google.rpc.status_pb2 import Status

from infra.problems import Problem

Context = grpc.aio.ServicerContext[Any, Any]
DOMAIN: Final = "orderflow"
DETAILS: Final = "grpc-status-details-bin"
_INDEX: Final = re.compile(r"/(\d+)")


def status_of(problem: Problem, request_id: UUID) -> Status:
    """Give the google.rpc.Status of a problem. Nothing of the request but its id is repeated."""
    code, _ = problem.code.value
    return Status(
        code=code, message=problem.detail, details=[_packed(detail) for detail in _details(problem, request_id)]
    )


async def refuse(context: Context, problem: Problem, request_id: UUID) -> NoReturn:
    """End the call with a problem."""
    details = status_of(problem, request_id).SerializeToString()
    await context.abort(problem.code, problem.detail, ((DETAILS, details),))


def field_of(pointer: str) -> str:
    """Name a field as google.rpc.BadRequest does: `/lines/0/quantity` is `lines[0].quantity`."""
    return _INDEX.sub(r"[\1]", pointer).lstrip("/").replace("/", ".")


def _details(problem: Problem, request_id: UUID) -> list[Message]:
    told = {"type": f"/problems/{problem.kind}", "title": problem.title, "status": str(problem.status_code)}
    reason = problem.kind.replace("-", "_").upper()
    details: list[Message] = [
        ErrorInfo(reason=reason, domain=DOMAIN, metadata=told),
        RequestInfo(request_id=str(request_id)),
    ]
    if problem.errors:
        violations = [
            BadRequest.FieldViolation(field=field_of(pointer), description=reason) for pointer, reason in problem.errors
        ]
        details.append(BadRequest(field_violations=violations))
    if seconds := (problem.headers or {}).get("retry-after"):
        retry = RetryInfo()
        retry.retry_delay.FromSeconds(int(seconds))
        details.append(retry)
    return details


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
