"""What has changed between two JSON Schemas, field by field, and whom it breaks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, Literal

Schema = Mapping[str, Any]
Effect = Literal["removed", "added", "added_required", "now_required", "now_optional", "narrowed", "widened", "changed"]

_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_PARTS: Final = ("items", "additionalProperties")
_VARIANTS: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_FOLLOWED: Final = {"type", "enum", "const", "properties", "required", *_LOWER, *_UPPER, *_PARTS, *_VARIANTS}
_WORDS: Final = {"$schema", "$id", "$comment", "title", "description", "default", "deprecated", "example", "examples"}
_SHELVES: Final = {"$defs", "components"}
"""Where parts lie that are compared where they are referred to."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is different, and where: a JSON pointer (RFC 6901) into a message, `*` for any item."""

    pointer: str
    effect: Effect
    said: str

    def __str__(self) -> str:
        return f"{self.pointer or '/'} {self.said}"


def changes(before: Schema, after: Schema) -> list[Change]:
    """Compare what two schemas accept; titles, descriptions, examples and defaults are no part of that."""
    return list(_changes(before, after, "", (before, after)))


def breaks(name: str, before: Schema, messages: Mapping[str, Schema]) -> list[str]:
    """Give a sentence for each change of a message that is on the log, where any is one too many.

    Readers refuse fields that they do not know, so one that is added, even an optional one, stops those that still run
    the version before; what is taken away stops them, or whoever reads the old bytes.
    """
    if name not in messages:
        return [f"{name}: is gone, and the log may hold it for ever; keep it, as a superseded form if need be"]
    stem = name.rpartition(".v")[0]
    free = next(form for number in count(1) if (form := f"{stem}.v{number}") not in messages)
    remedy = f"give it a new wire name, {free}, and an upcaster (README, When an event changes)"
    return [f"{name}: {change}; {remedy}" for change in changes(before, messages[name])]


def _changes(before: Schema, after: Schema, at: str, roots: tuple[Schema, Schema]) -> Iterator[Change]:
    before, after = _resolved(before, roots[0]), _resolved(after, roots[1])
    yield from _types(_kinds(before), _kinds(after), at)
    yield from _values(before, after, at)
    yield from _bounds(before, after, at)
    yield from _members(before, after, at, roots)
    yield from _parts(before, after, at, roots)


def _resolved(schema: Schema, root: Schema) -> Schema:
    """Follow references, and write `anyOf` with null, or `const`, as the plain form that means the same."""
    while "$ref" in schema:
        found: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = {**found, **{name: value for name, value in schema.items() if name != "$ref"}}
    if "const" in schema:
        schema = {**schema, "enum": [schema["const"]]}
    variants = schema.get("anyOf", ())
    rest = [variant for variant in variants if variant.get("type") != "null"]
    if len(variants) == len(rest) + 1 and len(rest) == 1:
        inner = _resolved(rest[0], root)
        kept = {name: value for name, value in schema.items() if name != "anyOf"}
        return {**kept, **inner, "type": [*sorted(_kinds(inner)), "null"]}
    return schema


def _kinds(schema: Schema) -> frozenset[str]:
    kinds = schema.get("type", ())
    return frozenset([kinds] if isinstance(kinds, str) else kinds)


def _types(before: frozenset[str], after: frozenset[str], at: str) -> Iterator[Change]:
    if before == after:
        return
    said = f"was {_or(before)} and is {_or(after)}"
    if before and (not after or before < after):
        yield Change(at, "widened", said)
    elif after < before or not before:
        yield Change(at, "narrowed", said)
    else:
        yield Change(at, "changed", said)


def _or(kinds: frozenset[str]) -> str:
    return " or ".join(sorted(kinds)) or "anything"


def _values(before: Schema, after: Schema, at: str) -> Iterator[Change]:
    old, new = before.get("enum"), after.get("enum")
    if old is None and new is not None:
        yield Change(at, "narrowed", f"may only be one of {new}")
    elif old is not None and new is None:
        yield Change(at, "widened", f"may be anything, not only one of {old}")
    elif old is not None and new is not None:
        if gone := [value for value in old if value not in new]:
            yield Change(at, "narrowed", f"may no longer be {_listed(gone)}")
        if come := [value for value in new if value not in old]:
            yield Change(at, "widened", f"may now be {_listed(come)}")


def _listed(values: list[Any]) -> str:
    return ", ".join(map(repr, values))


def _bounds(before: Schema, after: Schema, at: str) -> Iterator[Change]:
    for name in (*_LOWER, *_UPPER):
        old, new = before.get(name), after.get(name)
        if old != new:
            tighter = old is None or (new is not None and (new > old) == (name in _LOWER))
            yield Change(at, "narrowed" if tighter else "widened", f"{name} was {old} and is {new}")
    for name in sorted((before.keys() | after.keys()) - _FOLLOWED - _WORDS - _SHELVES):
        if before.get(name) != after.get(name):
            yield Change(at, "changed", f"{name} was {before.get(name)} and is {after.get(name)}")


def _members(before: Schema, after: Schema, at: str, roots: tuple[Schema, Schema]) -> Iterator[Change]:
    old, new = before.get("properties", {}), after.get("properties", {})
    must, must_now = set(before.get("required", ())), set(after.get("required", ()))
    for name in old.keys() - new.keys():
        yield Change(f"{at}/{name}", "removed", "is gone")
    for name in new.keys() - old.keys():
        yield Change(f"{at}/{name}", "added_required" if name in must_now else "added", "is new")
    for name in sorted(old.keys() & new.keys()):
        if name in must_now - must:
            yield Change(f"{at}/{name}", "now_required", "may no longer be left out")
        if name in must - must_now:
            yield Change(f"{at}/{name}", "now_optional", "may now be left out")
        yield from _changes(old[name], new[name], f"{at}/{name}", roots)


def _parts(before: Schema, after: Schema, at: str, roots: tuple[Schema, Schema]) -> Iterator[Change]:
    for keyword in _PARTS:
        old, new = before.get(keyword), after.get(keyword)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _changes(old, new, f"{at}/*", roots)
        elif old != new:
            yield Change(f"{at}/*", "changed", f"{keyword} was {old} and is {new}")
    for keyword in _VARIANTS:
        old, new = before.get(keyword, ()), after.get(keyword, ())
        if len(old) != len(new):
            yield Change(at, "changed", f"has {len(new)} variants instead of {len(old)}")
        for one, other in zip(old, new, strict=False):
            yield from _changes(one, other, at, roots)
