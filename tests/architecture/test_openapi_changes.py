"""Which changes of an API break its callers, and which do not."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.architecture.openapi_changes import breaks
from tests.architecture.test_openapi import DOCUMENTS

BEFORE: dict[str, Any] = {
    "paths": {
        "/orders": {
            "post": {
                "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 9}},
                    {"$ref": "#/components/parameters/Key"},
                ],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Body"}}}},
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}}}
                },
            }
        }
    },
    "components": {
        "parameters": {"Key": {"name": "key", "in": "header", "required": True, "schema": {"type": "string"}}},
        "schemas": {
            "Body": {
                "type": "object",
                "properties": {"sku": {"type": "string"}, "kind": {"enum": ["a", "b"]}},
                "required": ["sku"],
            },
            "Answer": {
                "type": "object",
                "properties": {"status": {"enum": ["placed"]}, "total": {"type": "integer"}},
                "required": ["status", "total"],
            },
        },
    },
}
_LEAVES = st.one_of(
    st.sampled_from(["string", "integer", "boolean"]).map(lambda kind: {"type": kind}),
    st.lists(st.text(max_size=3), min_size=1, unique=True).map(lambda values: {"enum": values}),
    st.integers(0, 9).map(lambda most: {"type": "string", "maxLength": most, "pattern": f"^.{{{most}}}$"}),
)
SCHEMAS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda items: {"type": "array", "items": items}),
        inner.map(lambda variant: {"anyOf": [variant, {"type": "null"}]}),
        st.dictionaries(st.text(max_size=3), inner, max_size=3).map(
            lambda members: {"type": "object", "properties": members, "required": sorted(members)}
        ),
    ),
    max_leaves=6,
)
Change = Callable[[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]], object]
"""Changes a document, its operation, the body, or the answer."""


def after(change: Change) -> dict[str, Any]:
    document = deepcopy(BEFORE)
    schemas = document["components"]["schemas"]
    change(document, document["paths"]["/orders"]["post"], schemas["Body"], schemas["Answer"])
    return document


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d, _o, _b, _a: d["paths"].pop("/orders"), "is gone"),
        (lambda d, _o, _b, _a: d["paths"]["/orders"].pop("post"), "is gone"),
        (lambda _d, o, _b, _a: o.update(security=[{"token": []}]), "asks for a token now"),
        (lambda _d, o, _b, _a: o["parameters"].pop(0), "parameter limit is gone"),
        (lambda _d, o, _b, _a: o["parameters"][0].update(required=True), "parameter limit must be given now"),
        (
            lambda _d, o, _b, _a: o["parameters"].append({"name": "x", "in": "query", "required": True, "schema": {}}),
            "parameter x is new and must be given",
        ),
        (
            lambda _d, o, _b, _a: o["parameters"][0]["schema"].update(maximum=8),
            "parameter limit / maximum was 9 and is 8",
        ),
        (lambda _d, _o, b, _a: b["properties"].pop("kind"), "body /kind is gone"),
        (lambda _d, _o, b, _a: b["required"].append("kind"), "body /kind may no longer be left out"),
        (lambda _d, _o, b, _a: b["properties"]["kind"].update(enum=["a"]), "body /kind may no longer be 'b'"),
        (lambda _d, _o, b, _a: b["properties"]["sku"].update(type="integer"), "body /sku was string and is integer"),
        (
            lambda _d, _o, b, _a: b["properties"]["sku"].update(pattern="^[A-Z]$"),
            "body /sku pattern was None and is ^[A-Z]$",
        ),
        (lambda _d, _o, b, _a: b["properties"]["sku"].update(minLength=2), "body /sku minLength was None and is 2"),
        (
            lambda _d, _o, b, _a: (b["properties"].update(n={"type": "string"}), b["required"].append("n")),
            "body /n is new",
        ),
        (lambda _d, o, _b, _a: o["requestBody"].update(required=True), "body may no longer be left out"),
        (lambda _d, _o, _b, a: a["properties"].pop("total"), "answer 200 /total is gone"),
        (lambda _d, _o, _b, a: a["required"].remove("total"), "answer 200 /total may now be left out"),
        (
            lambda _d, _o, _b, a: a["properties"]["total"].update(type="string"),
            "answer 200 /total was integer and is string",
        ),
        (
            lambda _d, _o, _b, a: a["properties"]["status"]["enum"].append("lost"),
            "answer 200 /status may now be 'lost'",
        ),
        (lambda _d, o, _b, _a: o["responses"].pop("200"), "no longer answers 200"),
    ],
)
def test_what_breaks_a_caller_is_named(change: Change, said: str) -> None:
    assert breaks(BEFORE, after(change)) == [f"POST /orders: {said}"]


@pytest.mark.parametrize(
    "change",
    [
        lambda d, _o, _b, _a: d["paths"].update({"/more": {"get": {"responses": {}}}}),
        lambda _d, o, _b, _a: o["parameters"].append({"name": "x", "in": "query", "schema": {}}),
        lambda _d, o, _b, _a: o["parameters"][0]["schema"].update(maximum=10),
        lambda _d, _o, b, _a: b["properties"].update(note={"type": "string"}),
        lambda _d, _o, b, _a: b["properties"]["kind"]["enum"].append("c"),
        lambda _d, _o, b, _a: b["required"].remove("sku"),
        lambda _d, _o, _b, a: a["properties"].update(note={"type": "string"}),
        lambda _d, o, _b, _a: o["responses"].update({"409": {}}),
        lambda _d, o, _b, _a: o.update(summary="Another word for it"),
    ],
)
def test_what_is_added_breaks_nobody(change: Change) -> None:
    assert breaks(BEFORE, after(change)) == []


@given(SCHEMAS, SCHEMAS, SCHEMAS)
def test_no_document_breaks_itself(asked: dict[str, Any], sent: dict[str, Any], answered: dict[str, Any]) -> None:
    def document() -> dict[str, Any]:
        def shape(d: dict[str, Any], o: dict[str, Any], _b: object, _a: object) -> None:
            o["parameters"][0]["schema"] = asked
            d["components"]["schemas"].update(Body=sent, Answer=answered)

        return deepcopy(after(shape))

    assert breaks(document(), document()) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_api_does_not_break_itself(name: str) -> None:
    assert breaks(DOCUMENTS[name], deepcopy(DOCUMENTS[name])) == []
