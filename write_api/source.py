"""Writes messages as Python, as a person would write them down."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel

WIDTH: Final = 120
_INDENT: Final = "    "


def source_of(value: Any, *, indent: str = "", used: int = 0) -> str:  # noqa: ANN401  # whatever messages hold
    """Give an expression; `used` is how much of its first line is taken."""
    if isinstance(value, tuple) and value:
        head, parts, tail = "(", [("", each) for each in value], ")"
    elif isinstance(value, BaseModel) or is_dataclass(value):
        head, parts, tail = f"{type(value).__name__}(", [(f"{name}=", each) for name, each in _told(value)], ")"
    else:
        return _plain(value)
    flat = (
        head
        + ", ".join(name + source_of(each) for name, each in parts)
        + ("," if head == "(" and len(parts) == 1 else "")
        + tail
    )
    if "\n" not in flat and len(indent) + used + len(flat) <= WIDTH:
        return flat
    inner = indent + _INDENT
    lines = (f"{inner}{name}{source_of(each, indent=inner, used=len(name) + 1)}," for name, each in parts)
    return "\n".join((head, *lines, indent + tail))


def names_in(value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401  # whatever messages hold
    """Give module and name of everything that the expression needs."""
    if isinstance(value, tuple):
        for each in value:
            yield from names_in(each)
    elif isinstance(value, BaseModel) or is_dataclass(value):
        yield type(value).__module__, type(value).__name__
        for _, each in _told(value):
            yield from names_in(each)
    elif isinstance(value, UUID):
        yield "uuid", "UUID"


def _told(value: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  # a message or a refusal
    """Give the fields that are not what they are without being said."""
    if not isinstance(value, BaseModel):
        yield from ((field.name, getattr(value, field.name)) for field in fields(value))
        return
    for name, field in type(value).model_fields.items():
        each = getattr(value, name)
        if field.is_required() or each != field.default:
            yield name, each


def _plain(value: Any) -> str:  # noqa: ANN401  # whatever messages hold
    if isinstance(value, UUID):
        return f'UUID("{value}")'
    if isinstance(value, str):
        return _quoted(value)
    return repr(value)


_ESCAPED: Final[Mapping[int, str]] = str.maketrans({"\\": "\\\\", '"': '\\"'})


def _quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPED)}"'
