"""Tables for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final

import typer

_WHOLE: Final = frozenset({"order", "after"})
AsJson = Annotated[
    bool | None, typer.Option("--json/--table", help="JSON or a table; by itself, a table on a terminal only.")
]


def wants_json(asked: bool | None) -> bool:  # noqa: FBT001 - the value of the option above
    return not sys.stdout.isatty() if asked is None else asked


def write_json(value: object) -> None:
    """Write one line, so that a stream of them can be read line by line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def write_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table as wide as the terminal; columns of ids and short times are never broken."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in _WHOLE)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Padding) else "" if cell is None else str(cell) for cell in row))
    Console(highlight=False, markup=False).print(table)


def indented(text: str, depth: int) -> object:
    """Give a cell of a table that stays indented where it is broken."""
    from rich.padding import Padding
    from rich.text import Text

    return Padding(Text(text, overflow="fold"), (0, 0, 0, depth))


def terminal_width() -> int:
    from rich.console import Console

    return Console().width


def money(value: Mapping[str, Any]) -> str:
    """Write an amount of one of our answers."""
    from schemas.money import written

    return written(value["amount"], value["currency"])


def moment(instant: str) -> str:
    """Write an instant without what a person does not read."""
    return instant[:19].replace("T", " ")


def facts_in_words(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {in_words(value)}" for name, value in facts.items())


def in_words(value: object) -> object:
    if isinstance(value, list):
        return "; ".join(str(in_words(each)) for each in value)
    if not isinstance(value, dict):
        return value
    return money(value) if value.keys() == {"amount", "currency"} else facts_in_words(value)
