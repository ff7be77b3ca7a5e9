"""The comparison of schemas itself: every kind of change is named where it is."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.wire import schemas
from tests.architecture.changes import Effect, breaks, changes

MESSAGES = schemas()
LINE: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "sku": {"type": "string", "pattern": "^[A-Z]+$", "maxLength": 9},
        "quantity": {"type": "integer", "minimum": 1, "maximum": 9},
        "kind": {"enum": ["a", "b"], "type": "string"},
        "note": {"anyOf": [{"type": "string", "maxLength": 5}, {"type": "null"}]},
    },
    "required": ["sku", "quantity"],
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"lines": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Line"}}},
    "required": ["lines"],
    "$defs": {"Line": LINE},
}


def changed(**fields: object) -> dict[str, Any]:
    """Give the schema with some of the line's fields, or its keywords, put in place of what was there."""
    after = deepcopy(SCHEMA)
    line = after["$defs"]["Line"]
    for name, value in fields.items():
        where = line if name in line else line["properties"]
        if value is None:
            where.pop(name)
        else:
            where[name] = value
    return after


@pytest.mark.parametrize(
    ("after", "pointer", "effect"),
    [
        (changed(kind=None), "/lines/*/kind", "removed"),
        (changed(colour={"type": "string"}), "/lines/*/colour", "added"),
        (changed(required=["sku", "quantity", "kind"]), "/lines/*/kind", "now_required"),
        (changed(required=["sku"]), "/lines/*/quantity", "now_optional"),
        (changed(quantity={"type": "string"}), "/lines/*/quantity", "changed"),
        (changed(quantity={"type": "integer", "minimum": 2, "maximum": 9}), "/lines/*/quantity", "narrowed"),
        (changed(quantity={"type": "integer", "minimum": 1, "maximum": 8}), "/lines/*/quantity", "narrowed"),
        (changed(quantity={"type": "integer", "minimum": 0, "maximum": 9}), "/lines/*/quantity", "widened"),
        (changed(quantity={"type": "integer", "minimum": 1}), "/lines/*/quantity", "widened"),
        (changed(kind={"enum": ["a"], "type": "string"}), "/lines/*/kind", "narrowed"),
        (changed(kind={"enum": ["a", "b", "c"], "type": "string"}), "/lines/*/kind", "widened"),
        (changed(kind={"type": "string"}), "/lines/*/kind", "widened"),
        (changed(note={"type": "string", "maxLength": 5}), "/lines/*/note", "narrowed"),
        (changed(sku={"type": "string", "pattern": "^[a-z]+$", "maxLength": 9}), "/lines/*/sku", "changed"),
        (changed(additionalProperties=True), "/lines/*/*", "changed"),
        (changed(quantity={**LINE["properties"]["quantity"], "not": {"const": 3}}), "/lines/*/quantity", "changed"),
    ],
)
def test_a_change_is_named_where_it_is(after: dict[str, Any], pointer: str, effect: Effect) -> None:
    assert (pointer, effect) in {(change.pointer, change.effect) for change in changes(SCHEMA, after)}


def test_a_field_that_must_be_there_is_told_apart_from_one_that_may() -> None:
    after = changed(colour={"type": "string"}, required=["sku", "quantity", "colour"])
    assert [(change.pointer, change.effect) for change in changes(SCHEMA, after)] == [
        ("/lines/*/colour", "added_required")
    ]


def test_a_break_names_the_message_the_field_and_the_way_out() -> None:
    after = {"order.placed.v1": changed(required=["sku"])}
    (said,) = breaks("order.placed.v1", SCHEMA, after)
    assert said.startswith("order.placed.v1: /lines/*/quantity may now be left out; ")
    assert "give it a new wire name, order.placed.v2, and an upcaster" in said
    (said,) = breaks("order.placed.v1", SCHEMA, {**after, "order.placed.v2": SCHEMA})
    assert "order.placed.v3, and an upcaster" in said


def test_a_message_that_is_gone_is_named() -> None:
    assert [said.partition(": ")[0] for said in breaks("order.placed.v1", SCHEMA, {})] == ["order.placed.v1"]


def test_words_about_a_field_are_no_change() -> None:
    words = {"description": "Stock keeping unit", "title": "SKU", "examples": ["A"], "deprecated": True}
    sku = {**LINE["properties"]["sku"], **words}
    assert changes(SCHEMA, changed(sku=sku)) == []


def test_a_part_may_be_named_or_written_in_place() -> None:
    inline = deepcopy(SCHEMA)
    inline["properties"]["lines"]["items"] = LINE
    assert changes(SCHEMA, inline) == changes(inline, SCHEMA) == []


@given(st.sampled_from(sorted(MESSAGES)))
def test_a_schema_is_no_change_of_itself(name: str) -> None:
    assert changes(MESSAGES[name], deepcopy(MESSAGES[name])) == []


def _drop(part: dict[str, Any], field: str) -> None:
    del part["properties"][field]


def _add(part: dict[str, Any], field: str) -> None:
    part["properties"] = {f"{field}_too": part["properties"][field], **part["properties"]}


def _add_required(part: dict[str, Any], field: str) -> None:
    _add(part, field)
    part["required"] = [*part.get("required", ()), f"{field}_too"]


def _require_otherwise(part: dict[str, Any], field: str) -> None:
    part["required"] = sorted({*part.get("required", ())} ^ {field})


def _allow_another_type(part: dict[str, Any], field: str) -> None:
    part["properties"][field] = {"anyOf": [part["properties"][field], {"type": "number"}]}


def _replace(part: dict[str, Any], field: str) -> None:
    part["properties"][field] = {"type": "number"}


def _narrow(part: dict[str, Any], field: str) -> None:
    part["properties"][field] = {**part["properties"][field], "not": {"enum": ["a", 1]}}


MUTATIONS: dict[Callable[[dict[str, Any], str], None], tuple[str, set[Effect]]] = {
    _drop: ("", {"removed"}),
    _add: ("_too", {"added"}),
    _add_required: ("_too", {"added_required"}),
    _require_otherwise: ("", {"now_required", "now_optional"}),
    _allow_another_type: ("", {"changed", "widened"}),
    _replace: ("", {"changed"}),
    _narrow: ("", {"changed"}),
}


@given(st.sampled_from(sorted(MESSAGES)), st.sampled_from(list(MUTATIONS)), st.data())
def test_any_change_of_any_field_of_any_message_is_named(
    name: str, mutate: Callable[[dict[str, Any], str], None], data: st.DataObject
) -> None:
    after = deepcopy(MESSAGES[name])
    part = data.draw(st.sampled_from([part for part in (after, *after["$defs"].values()) if part.get("properties")]))
    field = data.draw(st.sampled_from(sorted(part["properties"])))
    mutate(part, field)
    ending, effects = MUTATIONS[mutate]
    found = changes(MESSAGES[name], after)
    assert any(change.pointer.endswith(f"/{field}{ending}") and change.effect in effects for change in found)
