"""The OpenAPI documents show an example of everything, each is right, and what callers rely on is not broken."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from query_api.openapi import unconnected as query
from tests.architecture.exports import OPENAPI
from tests.architecture.openapi_changes import breaks
from tests.architecture.published import published
from write_api.openapi import unconnected as write
from write_api.refusals import STATUS

DOCUMENTS: dict[str, Any] = {"write": write().openapi(), "query": query().openapi()}
Operation = tuple[dict[str, Any], str, dict[str, Any]]


def operations() -> Iterator[Operation]:
    for document in DOCUMENTS.values():
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                yield document, f"{method} {path}", operation


OPERATIONS = list(operations())
NAMES = [name for _, name, _ in OPERATIONS]


def valid(document: dict[str, Any], schema: dict[str, Any], value: object) -> bool:
    return Draft202012Validator({**schema, "components": document["components"]}).is_valid(value)


@pytest.mark.parametrize(("document", "name", "operation"), OPERATIONS, ids=NAMES)
def test_every_success_is_shown(document: dict[str, Any], name: str, operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        if not status.startswith("2"):
            continue
        (content,) = response["content"].values()
        assert name.endswith("/stream") or valid(document, content["schema"], content["example"])
        assert content["example"]


@pytest.mark.parametrize(("document", "name", "operation"), OPERATIONS, ids=NAMES)
def test_every_error_is_shown_by_each_problem_that_it_can_be(
    document: dict[str, Any], name: str, operation: dict[str, Any]
) -> None:
    del name
    for status, response in operation["responses"].items():
        if status.startswith(("2", "3")):
            continue
        content = response["content"]["application/problem+json"]
        assert content["examples"], status
        for kind, example in content["examples"].items():
            assert valid(document, content["schema"], example["value"])
            assert (example["value"]["type"], example["value"]["status"]) == (f"/problems/{kind}", int(status))


@pytest.mark.parametrize(("document", "name", "operation"), OPERATIONS, ids=NAMES)
def test_every_body_and_parameter_is_shown(document: dict[str, Any], name: str, operation: dict[str, Any]) -> None:
    del name
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        (*_, kind) = (schema.get("$ref") or schema["allOf"][0]["$ref"]).split("/")
        found = document["components"]["schemas"][kind]
        assert all(valid(document, found, example) for example in found.get("examples", [{}]))
    for parameter in operation.get("parameters", ()):
        named = document["components"].get("parameters", {}).get(parameter.get("$ref", "").split("/")[-1], parameter)
        assert valid(document, named["schema"], named["example"]), named["name"]


@pytest.mark.parametrize(("document", "name", "operation"), OPERATIONS, ids=NAMES)
def test_every_operation_has_a_name_a_summary_and_a_tag_that_is_described(
    document: dict[str, Any], name: str, operation: dict[str, Any]
) -> None:
    del name
    assert operation["operationId"].isidentifier()
    assert operation["summary"]
    assert not operation["summary"].endswith(".")
    assert set(operation["tags"]) <= {tag["name"] for tag in document["tags"]}


def test_every_refusal_is_shown_somewhere() -> None:
    shown = {
        kind
        for _, _, operation in OPERATIONS
        for response in operation["responses"].values()
        for kind in response.get("content", {}).get("application/problem+json", {}).get("examples", {})
    }
    assert {kind.code for kind in STATUS} <= shown


@pytest.mark.parametrize("name", DOCUMENTS)
def test_nothing_that_callers_rely_on_is_broken(name: str) -> None:
    before = published(OPENAPI / f"{name}.json")
    broken = breaks(json.loads(before), DOCUMENTS[name]) if before else []
    assert not broken, "\n".join(["a caller of the published API would break; add instead, or begin a v2:", *broken])


@pytest.mark.parametrize(
    ("kind", "parameter"),
    [("cursor-refused", "cursor"), ("position-unknown", "min_position"), ("read-model-behind", "min_position")],
)
def test_a_problem_with_a_parameter_is_shown_where_that_parameter_is(kind: str, parameter: str) -> None:
    reads = list(DOCUMENTS["query"]["paths"].values())
    with_it = [read["get"] for read in reads if parameter in {p["name"] for p in read["get"].get("parameters", ())}]
    assert with_it
    assert [read["get"] for read in reads if f"/problems/{kind}" in json.dumps(read)] == with_it
