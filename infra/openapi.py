"""What both APIs add to the OpenAPI document that FastAPI makes: names, examples, and every problem that can come."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from fastapi.routing import APIRoute

from infra.problems import MEDIA_TYPE, Problem, ProblemDetails, body_of

Json = dict[str, Any]

_INSTANCE: Final = "urn:uuid:01981d3c-7cf8-7a10-8d4c-6f9619ff8b86"
PARAMETERS: Final[Mapping[str, Any]] = {
    "order_id": "01981d3c-7cf8-7a10-8d4c-6f9619ff8b86",
    "shipment_id": "01981d3d-1a2b-7c3d-8e4f-5a6b7c8d9e0f",
    "customer_id": "8e511fda-fc4d-5b72-b3e2-e88b12c125c7",
    "sku": "BEANS-MINAS-250",
    "min_position": 42,
    "wait": 2.0,
    "limit": 20,
    "cursor": "8fV3rKq0Zc1mQw",
    "q": "souza sidama",
    "sort": "-placed_at",
    "available_below": 5,
    "phase": ["awaiting_stock"],
    "overdue": True,
    "ended": False,
    "Reveal-Reason": "complaint 4711: parcel never came",
    "If-None-Match": '"5d41402abc4b2a76b9719d911017c592"',
    "last-event-id": "8fV3rKq0Zc1mQw",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "X-Request-Id": "01981d3c-7cf8-7a10-8d4c-6f9619ff8b86",
}
"""An example of each parameter that is the same everywhere."""
HEALTH: Final = {"alive": {"status": "ok"}, "ready": {"status": "ok"}}
"""What the operations that tell of health answer."""
_REFERENCE: Final = re.compile(r'"#/components/schemas/([^"]+)"')
_MOMENTS: Final = {"date-time": "2026-03-01T00:00:00Z", "date": "2026-03-01"}


def operation_id(route: APIRoute) -> str:
    """Name an operation after its function, so that it keeps its name when its path changes."""
    return route.name


def finish(
    document: Json,
    *,
    examples: Mapping[str, Any],
    problems: Callable[[Json], Iterable[Problem]],
    tags: Mapping[str, str],
) -> None:
    """Complete a document in place; a schema that nothing in it refers to is left out.

    `examples` has a value for each schema that a success answers with, or for the operation that has no schema;
    `problems` gives what an operation may answer instead.
    """
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    details = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= {**details.pop("$defs"), ProblemDetails.__name__: details}
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    document["tags"] = [{"name": name, "description": said} for name, said in tags.items()]
    for parameter in components.get("parameters", {}).values():
        _show_parameter(parameter)
    for operation in operations(document):
        _name(operation)
        _show_answers(operation, schemas, examples)
        _show_problems(operation, list(problems(operation)))
        for parameter in operation.get("parameters", ()):
            _show_parameter(parameter)
    _leave_out_unused(document, schemas)


def operations(document: Json) -> list[Json]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def _leave_out_unused(document: Json, schemas: Json) -> None:
    """Again, until none is left that only a schema referred to which is gone."""
    while unused := schemas.keys() - set(_REFERENCE.findall(json.dumps(document))):
        for name in unused:
            del schemas[name]


def _name(operation: Json) -> None:
    """Let the first sentence of a route's docstring be its summary; FastAPI would repeat the name."""
    said = str(operation.get("description", operation["summary"]))
    first, _, rest = said.replace("\n", " ").partition(". ")
    operation["summary"] = first.removesuffix(".")
    operation["description"] = rest.strip() or said


def _show_answers(operation: Json, schemas: Json, examples: Mapping[str, Any]) -> None:
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            for content in response.get("content", {}).values():
                name = str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]
                known = schemas.get(name, {}).get("title") or operation["operationId"]
                if known in examples:
                    content["example"] = examples[known]


def _show_problems(operation: Json, problems: Sequence[Problem]) -> None:
    responses = operation["responses"]
    for problem in problems:
        known = responses.setdefault(str(problem.status_code), {"description": problem.title})
        content = known.setdefault("content", {}).setdefault(MEDIA_TYPE, {})
        content["schema"] = {"$ref": f"#/components/schemas/{ProblemDetails.__name__}"}
        content.setdefault("examples", {})[problem.kind] = {
            "summary": problem.title,
            "value": body_of(problem, _INSTANCE),
        }


def _show_parameter(parameter: Json) -> None:
    if "$ref" in parameter or "example" in parameter:
        return
    schema = parameter.get("schema", {})
    if "examples" in schema:
        parameter["example"] = schema["examples"][0]
    elif parameter["name"] in PARAMETERS:
        parameter["example"] = PARAMETERS[parameter["name"]]
    elif values := _values(schema):
        parameter["example"] = values


def _values(schema: Json) -> Any:  # noqa: ANN401  # of the type that the parameter has
    """Take the first of the values that a parameter may have."""
    for variant in (schema, *schema.get("anyOf", ())):
        if "enum" in variant:
            return variant["enum"][0]
        if variant.get("format") in _MOMENTS:
            return _MOMENTS[variant["format"]]
        if variant.get("type") == "array" and (first := _values(variant.get("items", {}))):
            return [first]
    return None
