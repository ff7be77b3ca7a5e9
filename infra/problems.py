"""RFC 9457 problem details for everything that an API refuses; no input value and no exception text is repeated."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from grpc import StatusCode
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from infra.trace import request_id

MEDIA_TYPE: Final = "application/problem+json"
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
MAX_ERRORS: Final = 20
_SAID: Final = {
    "missing": "is required",
    "extra_forbidden": "is not known here",
    "json_invalid": "must be JSON",
    "uuid_parsing": "must be a UUID",
}
_KINDS: Final = {
    400: ("bad-request", "The request cannot be read."),
    401: ("unauthenticated", "A valid access token is needed."),
    403: ("forbidden", "The access token does not allow this."),
    404: ("not-found", "There is nothing here."),
    405: ("method-not-allowed", "This method is not offered here."),
    406: ("not-acceptable", "None of the accepted media types is offered."),
    413: ("body-too-large", "The request body is larger than is read here."),
    415: ("unsupported-media-type", "The request body must be application/json in UTF-8, not compressed."),
    422: ("invalid", "The request does not have the form that is asked for here."),
    500: ("internal", "The request failed here. Its outcome may be unknown; repeat it with the same idempotency key."),
    503: ("unavailable", "The request cannot be served at the moment. Try again soon."),
    504: ("deadline-exceeded", "It was not done in time, and its outcome is unknown. Repeat it with the same key."),
}
_CODES: Final = {
    400: StatusCode.INVALID_ARGUMENT,
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.NOT_FOUND,
    409: StatusCode.FAILED_PRECONDITION,
    412: StatusCode.ABORTED,
    413: StatusCode.RESOURCE_EXHAUSTED,
    422: StatusCode.INVALID_ARGUMENT,
    500: StatusCode.INTERNAL,
    503: StatusCode.UNAVAILABLE,
    504: StatusCode.DEADLINE_EXCEEDED,
}


class InvalidMember(BaseModel):
    """One place that is not as asked for."""

    pointer: Annotated[str, Field(examples=["/lines/0/quantity"])]
    """JSON pointer (RFC 6901) into the body; for a parameter, its place and name, such as `query/limit`."""
    detail: Annotated[str, Field(examples=["Input should be greater than or equal to 1"])]


class ProblemDetails(BaseModel):
    """The body of every answer that is not a success (RFC 9457)."""

    type: Annotated[str, Field(examples=["/problems/order-not-found"])]
    """Stable name of the kind of problem."""
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    instance: Annotated[str, Field(examples=["urn:uuid:01981d3c-7cf8-7a10-8d4c-6f9619ff8b86"])]
    """The request that it happened to; ask about it by this."""
    errors: list[InvalidMember] | None = None


class Problem(HTTPException):
    """Ends a request with a problem document. `kind` becomes `/problems/<kind>`; `detail` is a sentence of ours."""

    def __init__(  # noqa: PLR0913  # the members of the document
        self,
        status: int,
        kind: str | None = None,
        detail: str | None = None,
        *,
        title: str | None = None,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[tuple[str, str]] = (),
        code: StatusCode | None = None,
    ) -> None:
        usual_kind, usual_detail = _KINDS.get(status, ("refused", "The request was refused."))
        super().__init__(status, detail or usual_detail, dict(headers or {}))
        self.kind = kind or usual_kind
        self.title = title or HTTPStatus(status).phrase
        self.errors = errors
        self.code = code or _CODES.get(status, StatusCode.UNKNOWN)
        """What gRPC calls it."""


def install_problems(app: FastAPI) -> None:
    """Make every answer of `app` that is not a success a problem document, from an unknown path to a crash."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _crashed)


def answer_refusals(
    app: FastAPI, causes: Iterable[type[Exception]], problem_of: Callable[[Exception], "Problem | None"]
) -> None:
    """Answer exceptions of these kinds with the problem that each stands for; one that stands for none goes on."""

    async def answer(request: Request, error: Exception) -> Response:
        problem = problem_of(error)
        if problem is None:
            raise error
        return document(request, problem)

    for cause in causes:
        app.add_exception_handler(cause, answer)


def document(request: Request, problem: Problem) -> Response:
    """Render a problem as the answer to `request`."""
    body = body_of(problem, f"urn:uuid:{request_id(request)}")
    headers = {"cache-control": "no-store", **(problem.headers or {})}
    return Response(json.dumps(body), problem.status_code, headers, MEDIA_TYPE)


def body_of(problem: Problem, instance: str) -> dict[str, Any]:
    """Give the members of the document."""
    body: dict[str, Any] = {
        "type": f"/problems/{problem.kind}",
        "title": problem.title,
        "status": problem.status_code,
        "detail": problem.detail,
        "instance": instance,
    }
    if problem.errors:
        body["errors"] = [{"pointer": pointer, "detail": detail} for pointer, detail in problem.errors]
    return body


async def _refused(request: Request, refusal: Exception) -> Response:
    if isinstance(refusal, Problem):
        return document(request, refusal)
    if isinstance(refusal, HTTPException):
        return document(request, Problem(refusal.status_code, headers=refusal.headers))
    raise refusal


async def _crashed(request: Request, _crash: Exception) -> Response:
    return document(request, Problem(500))


async def _invalid(request: Request, invalid: Exception) -> Response:
    if not isinstance(invalid, RequestValidationError):
        raise invalid
    return document(request, _of_errors(invalid.errors()))


def invalid_body(invalid: ValidationError) -> Problem:
    """Give the problem of a body that one of our models refuses."""
    return _of_errors([{**error, "loc": ("body", *error["loc"])} for error in invalid.errors()])


def _of_errors(errors: Sequence[Mapping[str, Any]]) -> Problem:
    told = [error for error in errors if not _is_echo(error, errors)]
    return Problem(422, errors=[_place_and_reason(error) for error in told[:MAX_ERRORS]])


def _is_echo(error: Mapping[str, Any], errors: Sequence[Mapping[str, Any]]) -> bool:
    """A list is called too short when it lacks only what is wrong in it, which is told anyway."""
    place = error["loc"]
    inside = (other["loc"] for other in errors if len(other["loc"]) > len(place))
    return error["type"] == "too_short" and any(loc[: len(place)] == place for loc in inside)


def _place_and_reason(error: Mapping[str, Any]) -> tuple[str, str]:
    """Name the place without repeating a member name that could be anything, and the rule without the value."""
    source, *path = (str(part) for part in error["loc"])
    kind = str(error["type"])
    if kind == "extra_forbidden" and not _NAME.fullmatch(path[-1]):
        path.pop()
    reason = _SAID.get(kind) or str(error["msg"]).removeprefix("Value error, ")
    if source == "body":
        return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in path), reason
    return "/".join((source, *path)), reason
