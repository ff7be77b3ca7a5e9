"""What of an OpenAPI document breaks those who call the API that the one before described."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.architecture.changes import Change, Effect, changes

Json = Mapping[str, Any]

_TO_US: Final[frozenset[Effect]] = frozenset({"removed", "added_required", "now_required", "narrowed", "changed"})
"""Of what callers send: they go on sending it, and unknown members are refused here."""
_FROM_US: Final[frozenset[Effect]] = frozenset({"removed", "now_optional", "widened", "changed"})
"""Of what callers read: a value they never met, such as a new status, breaks whoever lists all of them."""
_JSON: Final = "application/json"


def breaks(before: Json, after: Json) -> list[str]:
    """Give a sentence for each change that breaks a caller; it names the operation and the place."""
    return [
        f"{method.upper()} {path}: {said}"
        for path, methods in before["paths"].items()
        for method, operation in methods.items()
        for said in _broken(operation, after["paths"].get(path, {}).get(method), (before, after))
    ]


def _broken(old: Json, new: Json | None, roots: tuple[Json, Json]) -> Iterator[str]:
    if new is None:
        yield "is gone"
        return
    if not old.get("security") and new.get("security"):
        yield "asks for a token now"
    yield from _parameters(old, new, roots)
    yield from (f"body {change}" for change in _changes(_body(old), _body(new), roots, _TO_US))
    if not _required(old) and _required(new):
        yield "body may no longer be left out"
    yield from _answers(old, new, roots)


def _parameters(old: Json, new: Json, roots: tuple[Json, Json]) -> Iterator[str]:
    known, now = _named(old, roots[0]), _named(new, roots[1])
    for name, parameter in now.items():
        if name not in known and parameter.get("required"):
            yield f"parameter {name[1]} is new and must be given"
    for name, parameter in known.items():
        if name not in now:
            yield f"parameter {name[1]} is gone"
            continue
        if now[name].get("required") and not parameter.get("required"):
            yield f"parameter {name[1]} must be given now"
        found = _changes(parameter["schema"], now[name]["schema"], roots, _TO_US)
        yield from (f"parameter {name[1]} {change}" for change in found)


def _named(operation: Json, root: Json) -> dict[tuple[str, str], Json]:
    found = (
        root["components"]["parameters"][each["$ref"].rpartition("/")[2]] if "$ref" in each else each
        for each in operation.get("parameters", ())
    )
    return {(each["in"], each["name"]): each for each in found}


def _answers(old: Json, new: Json, roots: tuple[Json, Json]) -> Iterator[str]:
    for status, response in old["responses"].items():
        if not status.startswith("2"):
            continue
        if status not in new["responses"]:
            yield f"no longer answers {status}"
            continue
        found = _changes(_content(response), _content(new["responses"][status]), roots, _FROM_US)
        yield from (f"answer {status} {change}" for change in found)


def _changes(old: Json, new: Json, roots: tuple[Json, Json], effects: frozenset[Effect]) -> list[Change]:
    before, after = (
        {**schema, "components": root["components"]} for schema, root in zip((old, new), roots, strict=True)
    )
    return [change for change in changes(before, after) if change.effect in effects]


def _body(operation: Json) -> Json:
    return _content(operation.get("requestBody", {}))


def _required(operation: Json) -> bool:
    return bool(operation.get("requestBody", {}).get("required"))


def _content(part: Json) -> Json:
    schema: Json = part.get("content", {}).get(_JSON, {}).get("schema", {})
    return schema
