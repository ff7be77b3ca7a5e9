"""What the OpenAPI document says about reads besides their own success."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI

from infra.openapi import finish
from infra.problems import Problem
from query_api.audit.record import LookNotRecorded
from query_api.audit.viewers import FEWEST, MOST
from query_api.cursors import CursorRefused
from query_api.examples import answers
from query_api.history.states import NotYetBegun, VersionNotReached
from query_api.live import FiguresAway
from query_api.pasts import PastBeingComputed, PastNotComputed
from query_api.positions import PositionUnknown, ReadModelBehind
from query_api.refusals import NOT_FOUND, PROBLEMS, REASON_MALFORMED, REASON_NEEDED, TOO_MANY_STREAMS

_HEADERS: Final = {
    "ETag": {"description": "Strong validator of exactly these bytes.", "schema": {"type": "string"}},
    "X-Position": {
        "description": "The view holds everything up to this log position.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "Link": {"description": 'The next page, `rel="next"`, where there is one.', "schema": {"type": "string"}},
}
_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "An ETag that the client has: the answer is 304 while it still holds.",
    "schema": {"type": "string"},
}


def problem(description: str) -> dict[str, Any]:
    """Describe an answer that is a problem document; `describe` adds which ones."""
    return {"description": description}


MISSING: Final[dict[int | str, dict[str, Any]]] = {
    404: problem(
        "`*-not-found`: unknown, or not the caller's to see; the two look the same. "
        "`version-not-reached`, `not-yet-begun`: there is no such point in its history."
    ),
}
THEN: Final[dict[int | str, dict[str, Any]]] = {
    404: problem("`not-yet-begun`: at the instant `as_of` there was nothing yet."),
}
REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    401: problem("`unauthenticated`: no valid access token."),
    403: problem("`forbidden`: the token lacks the scope."),
    422: problem("`invalid`: a parameter is unknown or not of the form asked for."),
    503: problem("`unavailable`: a store is away, or too much is asked of this process. Try again soon."),
}
READS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"headers": _HEADERS},
    304: {"description": "The client already has it (`If-None-Match`)."},
    400: problem(
        "`cursor-refused`: not a cursor of this caller for this query. "
        "`position-unknown`: no write has answered with this `min_position`."
    ),
    **REFUSED,
    503: problem(
        "`read-model-behind`: `min_position` was not reached in time. `past-*`: what was at `as_of` is not there yet. "
        "`*-away`, `unavailable`: a store is away."
    ),
}


_REVEAL_REASON: Final = {
    "name": "Reveal-Reason",
    "in": "header",
    "required": False,
    "description": (
        "Opens the contacts of this one answer to an auditor (`audit:read`), and is recorded with the look: "
        "give a case, not a name. From anybody else it changes nothing."
    ),
    "schema": {"type": "string", "minLength": FEWEST, "maxLength": MOST},
}
_ANYTHING: Final = ("order", "payment", "product", "stock")
_ABOUT: Final = {
    "get_order": ("order",),
    "get_timeline": ("order",),
    "get_product": ("product",),
    "get_stock": ("stock",),
    "get_state": _ANYTHING,
    "get_diff": _ANYTHING,
    "get_customer": ("customer",),
    "list_orders_of_customer": ("customer",),
}
"""What an operation finds or does not find."""
_A_POINT: Final = (PROBLEMS[VersionNotReached], PROBLEMS[NotYetBegun])
_THEN: Final = (PROBLEMS[NotYetBegun], PROBLEMS[PastBeingComputed], PROBLEMS[PastNotComputed])
_BY_PARAMETER: Final = {
    "cursor": (PROBLEMS[CursorRefused],),
    "q": (Problem(403, *REASON_NEEDED),),
    "Reveal-Reason": (Problem(400, *REASON_MALFORMED), PROBLEMS[LookNotRecorded]),
    "min_position": (PROBLEMS[PositionUnknown], PROBLEMS[ReadModelBehind]),
}
"""What only an operation with this parameter can answer."""
_ANY: Final = (
    Problem(401),
    Problem(403),
    Problem(422, errors=(("query/limit", "Input should be less than or equal to 200"),)),
    Problem(503),
)
_TAGS: Final = {
    "orders": "Orders, and what happened to each.",
    "customers": "What a customer has ordered.",
    "catalogue": "What is for sale.",
    "stock": "What is on the shelf.",
    "sales": "Confirmed sales by hour, day and product.",
    "history": "What anything was at an earlier point, and what changed since.",
    "operations": "What staff watch.",
    "audit": "What auditors have looked at.",
    "stream": "Changes as they happen.",
    "health": "For whoever watches the process.",
}


def describe(app: FastAPI) -> None:
    """Complete the OpenAPI document of `app`, in place: FastAPI keeps the one that it has made."""
    document = app.openapi()
    for path, methods in document["paths"].items():
        if path.startswith("/v1/"):
            for operation in methods.values():
                operation["security"] = [{"token": []}]
                operation.setdefault("parameters", []).append(_REVEAL_REASON)
                if "304" in operation["responses"]:
                    operation.setdefault("parameters", []).append(_IF_NONE_MATCH)
    finish(document, examples=answers(), problems=_problems, tags=_TAGS)
    app.openapi_schema = document


def _problems(operation: dict[str, Any]) -> Iterator[Problem]:
    name, responses = operation["operationId"], operation["responses"]
    if "404" in responses:
        for kind in _ABOUT.get(name, ()):
            yield Problem(404, f"{kind}-not-found", NOT_FOUND)
    if name in ("get_state", "get_diff"):
        yield from _A_POINT
    elif any(parameter["name"] == "as_of" for parameter in operation.get("parameters", ())):
        yield from _THEN
    if name == "get_dashboard":
        yield PROBLEMS[FiguresAway]
    if name == "listen":
        yield Problem(503, *TOO_MANY_STREAMS)
    for parameter in operation.get("parameters", ()):
        yield from _BY_PARAMETER.get(parameter["name"], ())
    yield from (problem for problem in _ANY if str(problem.status_code) in responses)
