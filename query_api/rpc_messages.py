"""From a request's message to the query that HTTP takes, and from what was found to the answer's message."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from google.protobuf.message import Message as Proto
from pydantic import BaseModel, ValidationError

from infra.problems import invalid_body
from infra.rpc.values import M, filled, plain
from query_api.reading import Found

Q = TypeVar("Q", bound=BaseModel)

_GROUPS: Final = ("filter", "paging", "fresh")
"""Messages whose fields are parameters of the query over HTTP."""


def asked(kind: type[Q], request: Proto, *elsewhere: str) -> Q:
    """Give the query; fields named `elsewhere` are in the path over HTTP. Raises the 422 problem."""
    values = plain(request)
    for name in elsewhere:
        values.pop(name, None)
    for group in _GROUPS:
        values |= values.pop(group, {})
    if "sort" in values:
        values["sort"] = _sort(values["sort"])
    try:
        return kind.model_validate(values)
    except ValidationError as invalid:
        raise invalid_body(invalid) from None


def _sort(word: str) -> str:
    ascending = word.removesuffix("_descending")
    return ascending if ascending == word else f"-{ascending}"


def page(kind: type[M], found: Found[Any]) -> M:
    return filled(kind, _with_position(dict(found.body), found))


def one(kind: type[M], name: str, found: Found[Any]) -> M:
    return filled(kind, _with_position({name: found.body}, found))


def _with_position(values: Mapping[str, object], found: Found[Any]) -> Mapping[str, object]:
    return {**values, "position": found.position}
