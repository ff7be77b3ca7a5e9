"""Applies a JSON Patch by the letter of RFC 6902, as somebody elsewhere would."""

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

Json = Any


def applied(state: Json, patch: Iterable[Mapping[str, Json]]) -> Json:
    """Give the state after the operations; an operation on what is not there is an error."""
    whole = {"": deepcopy(state)}
    for operation in patch:
        *way, last = (_unescaped(part) for part in operation["path"].split("/"))
        place: Json = whole if way else None
        for part in way:
            place = place[int(part) if isinstance(place, list) else part]
        if place is None:
            whole[""] = operation["value"]
        elif isinstance(place, list):
            _change_list(place, int(last), operation)
        else:
            _change_object(place, last, operation)
    return whole[""]


def _change_list(place: list[Json], index: int, operation: Mapping[str, Json]) -> None:
    if operation["op"] == "add":
        assert index <= len(place)
        place.insert(index, deepcopy(operation["value"]))
    elif operation["op"] == "remove":
        del place[index]
    else:
        place[index] = deepcopy(operation["value"])


def _change_object(place: dict[str, Json], name: str, operation: Mapping[str, Json]) -> None:
    assert (name in place) is (operation["op"] != "add")
    if operation["op"] == "remove":
        del place[name]
    else:
        place[name] = deepcopy(operation["value"])


def _unescaped(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


def canonical(value: Json) -> str:
    """Give a text that is equal for the same JSON alone: to Python, `True` is 1."""
    return json.dumps(value, sort_keys=True)
