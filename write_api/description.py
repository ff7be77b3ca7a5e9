"""What the API says about itself beyond what FastAPI finds out: headers, security, and every refusal."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Final

from fastapi import FastAPI

from domain.errors import DomainError
from infra.appender import ConcurrentChange, KeyReused
from infra.openapi import HEALTH, finish
from infra.problems import Problem
from infra.strict_json import MALFORMED
from write_api.asking import IF_MATCH_MALFORMED, KEY_MALFORMED, KEY_MISSING
from write_api.refusals import STATUS, VersionMismatch, problem_of

_PROBLEMS: Final = {
    400: "The body is not strict JSON, or a header is missing or malformed.",
    401: "No valid access token.",
    403: "The access token lacks the scope.",
    404: "There is no such thing, or it is not yours to see.",
    409: "Refused by the rules as things are now, or changed at the same time by somebody else.",
    412: "If-Match names no ETag of this API for the present version.",
    413: "The body is too large.",
    415: "The body is not plain application/json.",
    422: "The body has not the form asked for, or the idempotency key was used for another request.",
    500: "A fault here. Repeat with the same idempotency key.",
    503: "Not at the moment. Repeat with the same idempotency key.",
}
_PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "New for each new command. A repeat under the same key gets the first answer again, for ever.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$", "minLength": 1, "maxLength": 255},
        "example": "my-command-1",
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": (
            "Carry out only on this version: the ETag of an answer of this API, or its `version` in quotes. "
            "An ETag of the query API is of what it shows, so it never matches."
        ),
        "schema": {"type": "string", "pattern": r'^(\*|(W/)?"[!#-~]*"( ?, ?(W/)?"[!#-~]*")*)$'},
        "example": '"1"',
    },
    "TraceParent": {
        "name": "traceparent",
        "in": "header",
        "required": False,
        "description": "W3C Trace Context, recorded with the events; a malformed one is ignored.",
        "schema": {"type": "string"},
    },
    "RequestId": {
        "name": "X-Request-Id",
        "in": "header",
        "required": False,
        "description": "Recorded with the events and repeated in problems when it is a UUID; else ignored.",
        "schema": {"type": "string"},
    },
}
_FIELDS: Final[dict[str, Any]] = {
    "sku": "BEANS-MINAS-250",
    "limit": 1_000_000,
    "on_hand": 1,
    "reserved": 2,
    "expected": "EUR",
    "given": "USD",
    "status": "cancelled",
    "asked": 3,
    "left": 2,
    "refundable": 2,
    "version": 2,
}
_ANY: Final = (
    Problem(400, *MALFORMED),
    Problem(400, *KEY_MISSING),
    Problem(400, *KEY_MALFORMED),
    Problem(400, *IF_MATCH_MALFORMED),
    Problem(401),
    Problem(403),
    Problem(404),
    *(problem for cause in (ConcurrentChange(), KeyReused()) if (problem := problem_of(cause))),
    Problem(413),
    Problem(415),
    Problem(422, errors=(("/lines/0/quantity", "Input should be greater than or equal to 1"),)),
    Problem(500),
    Problem(503),
)
"""What any command may answer."""
_ORDER: Final = {
    "version": 1,
    "order_id": "01981d3c-7cf8-7a10-8d4c-6f9619ff8b86",
    "status": "placed",
    "total": {"amount": 1900, "currency": "EUR"},
}
_ANSWERS: Final[dict[str, Any]] = {
    **HEALTH,
    "OrderAnswer": {**_ORDER, "position": 42},
    "ShipmentAnswer": {
        **_ORDER,
        "version": 3,
        "status": "shipped",
        "shipment_id": "01981d3d-1a2b-7c3d-8e4f-5a6b7c8d9e0f",
        "position": 57,
    },
    "RefundAnswer": {
        "version": 5,
        "order_id": _ORDER["order_id"],
        "refund_id": "01981d3e-2b3c-7d4e-8f5a-6b7c8d9e0f1a",
        "status": "requested",
        "amount": {"amount": 900, "currency": "EUR"},
        "position": 71,
    },
    "ProductAnswer": {
        "version": 2,
        "sku": "BEANS-MINAS-250",
        "on_sale": True,
        "price": {"amount": 950, "currency": "EUR"},
        "position": 12,
    },
    "StockAnswer": {
        "version": 4,
        "sku": "BEANS-MINAS-250",
        "on_hand": 100,
        "reserved": 2,
        "available": 98,
        "position": 13,
    },
}
_TAGS: Final = {
    "orders": "Place, cancel, ship and deliver orders.",
    "payments": "Give captured money back.",
    "catalogue": "What is for sale, and at what price.",
    "stock": "What is on the shelf.",
    "health": "For whoever watches the process.",
}
_HEADERS: Final[dict[str, dict[str, Any]]] = {
    "ETag": {"description": "The version, for If-Match.", "schema": {"type": "string"}},
    "Idempotency-Replayed": {"description": "Present on a repeated answer.", "schema": {"const": "true"}},
}
_LOCATION: Final = {
    "description": "The order in the query API.",
    "schema": {"type": "string", "format": "uri-reference"},
}


def refuses(*kinds: type[DomainError]) -> dict[str, Any]:
    """Say near a route which refusals of the domain it may answer, for `openapi_extra`."""
    return {"x-refusals": [*(kind.code for kind in kinds), VersionMismatch.code]}


def describe(app: FastAPI) -> None:
    """Complete the OpenAPI document that `app` keeps; every route must have been added."""
    document = app.openapi()
    document.setdefault("components", {})["parameters"] = _PARAMETERS
    for path, methods in document["paths"].items():
        if "post" in methods:
            _describe(methods["post"], path)
    finish(document, examples=_ANSWERS, problems=_problems, tags=_TAGS)


def _describe(operation: dict[str, Any], path: str) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    responses |= {str(status): {"description": said} for status, said in _PROBLEMS.items()}
    operation["security"] = [{"token": []}]
    operation.setdefault("parameters", []).extend({"$ref": f"#/components/parameters/{name}"} for name in _PARAMETERS)
    success = responses.get("201") or responses["200"]
    success["headers"] = _HEADERS | ({"Location": _LOCATION} if path == "/v1/orders" else {})


def _problems(operation: dict[str, Any]) -> Iterator[Problem]:
    if "security" not in operation:
        yield from (Problem(500), Problem(503))
        return
    kinds: dict[str, type[DomainError]] = {kind.code: kind for kind in STATUS}
    for code in operation["x-refusals"]:
        kind = kinds[code]
        example = kind(**{known.name: _FIELDS[known.name] for known in fields(kind) if known.init})
        if problem := problem_of(example):
            yield problem
    yield from _ANY
