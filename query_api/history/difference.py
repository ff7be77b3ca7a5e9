"""How one JSON value differs from another, as the operations of JSON Patch (RFC 6902) that lead from it to the other.

Only `add`, `remove` and `replace`; amounts of money are exchanged whole, so that an amount never loses its currency.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final, Literal

Json = Any
_MONEY: Final = {"amount", "currency"}


@dataclass(frozen=True, slots=True)
class Change:
    """One operation, with what was there before."""

    op: Literal["add", "remove", "replace"]
    path: tuple[str | int, ...]
    old: Json = None
    new: Json = None

    @property
    def pointer(self) -> str:
        """The path as a JSON Pointer (RFC 6901)."""
        return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in self.path)


def changes(old: Json, new: Json, path: tuple[str | int, ...] = ()) -> Iterator[Change]:
    """Give the operations in the order in which they must be applied; none when the two are the same."""
    if _same(old, new):
        return
    if isinstance(old, dict) and isinstance(new, dict) and not is_money(old) and not is_money(new):
        yield from _of_members(old, new, path)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _of_elements(old, new, path)
    else:
        yield Change("replace", path, old, new)


def is_money(value: Json) -> bool:
    if not isinstance(value, dict) or value.keys() != _MONEY:
        return False
    return type(value["amount"]) is int and isinstance(value["currency"], str)


def _of_members(old: dict[str, Json], new: dict[str, Json], path: tuple[str | int, ...]) -> Iterator[Change]:
    for name, value in old.items():
        if name in new:
            yield from changes(value, new[name], (*path, name))
        else:
            yield Change("remove", (*path, name), value)
    for name, value in new.items():
        if name not in old:
            yield Change("add", (*path, name), new=value)


def _of_elements(old: list[Json], new: list[Json], path: tuple[str | int, ...]) -> Iterator[Change]:
    """Leave alone how both begin and end; what is between is exchanged, then taken out or put in."""
    begin = _alike(old, new)
    end = _alike(old[begin:][::-1], new[begin:][::-1])
    gone, come = old[begin : len(old) - end], new[begin : len(new) - end]
    both = min(len(gone), len(come))
    for index in range(both):
        yield from changes(gone[index], come[index], (*path, begin + index))
    for each in gone[both:]:
        yield Change("remove", (*path, begin + both), each)
    for index, each in enumerate(come[both:], begin + both):
        yield Change("add", (*path, index), new=each)


def _alike(old: list[Json], new: list[Json]) -> int:
    return sum(1 for _ in takewhile(lambda pair: _same(*pair), zip(old, new, strict=False)))


def _same(old: Json, new: Json) -> bool:
    """Compare as JSON does, where `true` is not 1."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_same(old[name], new[name]) for name in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_same, old, new))
    return type(old) is type(new) and bool(old == new)
