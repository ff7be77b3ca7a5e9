"""What the OpenAPI document says about reads besides their own success."""

from typing import Any, Final

from fastapi import FastAPI

from infra.problems import MEDIA_TYPE, ProblemDetails

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
    """Describe an answer that is a problem document."""
    schema = {"$ref": f"#/components/schemas/{ProblemDetails.__name__}"}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


MISSING: Final[dict[int | str, dict[str, Any]]] = {
    404: problem("`*-not-found`: unknown, or not the caller's to see; the two look the same."),
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
        "`read-model-behind`: `min_position` was not reached in time. `*-away`, `unavailable`: a store is away."
    ),
}


def describe(app: FastAPI) -> None:
    """Complete the OpenAPI document of `app`, in place: FastAPI keeps the one that it has made."""
    document = app.openapi()
    components = document["components"]
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    details = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    components["schemas"] |= {**details.pop("$defs"), ProblemDetails.__name__: details}
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    for path, operations in document["paths"].items():
        if path.startswith("/v1/"):
            for operation in operations.values():
                operation["security"] = [{"token": []}]
                if "304" in operation["responses"]:
                    operation.setdefault("parameters", []).append(_IF_NONE_MATCH)
    app.openapi_schema = document
