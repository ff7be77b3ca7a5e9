"""What the API says about itself beyond what FastAPI finds out: headers, security, and every refusal."""

from typing import Any, Final

from fastapi import FastAPI

from infra.problems import MEDIA_TYPE, ProblemDetails

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
_HEADERS: Final[dict[str, dict[str, Any]]] = {
    "ETag": {"description": "The version, for If-Match.", "schema": {"type": "string"}},
    "Idempotency-Replayed": {"description": "Present on a repeated answer.", "schema": {"const": "true"}},
}
_LOCATION: Final = {
    "description": "The order in the query API.",
    "schema": {"type": "string", "format": "uri-reference"},
}


def describe(app: FastAPI) -> None:
    """Complete the OpenAPI document that `app` keeps; every route must have been added."""
    document = app.openapi()
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    details = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(details.pop("$defs"))
    schemas["ProblemDetails"] = details
    components["parameters"] = _PARAMETERS
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _describe(operation, path, is_command=method == "post")


def _describe(operation: dict[str, Any], path: str, *, is_command: bool) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    for status in _PROBLEMS if is_command else (500, 503):
        responses[str(status)] = _problem(status)
    if is_command:
        operation["security"] = [{"token": []}]
        operation.setdefault("parameters", []).extend(
            {"$ref": f"#/components/parameters/{name}"} for name in _PARAMETERS
        )
        success = responses.get("201") or responses["200"]
        success["headers"] = _HEADERS | ({"Location": _LOCATION} if path == "/v1/orders" else {})


def _problem(status: int) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {"description": _PROBLEMS[status], "content": {MEDIA_TYPE: {"schema": schema}}}
