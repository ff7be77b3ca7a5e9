"""`orderflow order show --timeline`: the story of an order as a tree of causes."""

from typing import TYPE_CHECKING, Final

import typer

from infra.commands.ask import ask_platform
from infra.commands.output import facts_in_words, indented, moment, terminal_width, wants_json, write_json, write_table

if TYPE_CHECKING:
    from uuid import UUID

    from infra.client import Api, Json

_SIGNS: Final = {"waiting": "... ", "parked": "!!! ", "no_trace": "(?) "}
_MINUTE: Final = 60
_WIDE: Final = 130
"""Columns of a terminal on which each thing that is told has a column of its own."""


def show_story(context: typer.Context, order_id: "UUID", as_json: bool | None) -> None:  # noqa: FBT001  # an option
    async def conversation(api: "Api") -> "Json":
        return await api.get(f"/v1/orders/{order_id}/timeline")

    told = ask_platform(context, conversation)
    if wants_json(as_json):
        write_json({"order_id": str(order_id), "story": told["story"], "waiting": told["waiting"]})
        return
    write_story(f"Order {order_id}", told["story"])
    for each in told["waiting"]:
        until = f" until {moment(each['until'])}" if each["until"] else ""
        error = f": {each['error']}" if each["error"] else ""
        typer.echo(f"Now {each['for_what']}{until}{error}.")
    if not told["waiting"]:
        typer.echo("Nothing is waited for.")


def write_story(title: str, story: "list[Json]") -> None:
    if terminal_width() < _WIDE:
        write_table(title, ("at (UTC)", "after", "what (who)"), map(_narrow, story))
    else:
        write_table(title, ("at (UTC)", "after", "what", "who", "facts"), map(_wide, story))


def _wide(entry: "Json") -> tuple[object, ...]:
    at = moment(entry["at"]) if entry["at"] else ""
    title = "  " * entry["depth"] + _title(entry)
    return at, _span(entry["elapsed"]), title, entry["who"], facts_in_words(entry["facts"])


def _narrow(entry: "Json") -> tuple[object, ...]:
    """Put all that is told in one cell, which keeps its depth where it is broken."""
    at = moment(entry["at"])[5:] if entry["at"] else ""
    told = ": ".join(filter(None, (f"{_title(entry)} ({entry['who']})", facts_in_words(entry["facts"]))))
    return at, _span(entry["elapsed"]), indented(told, entry["depth"])


def _title(entry: "Json") -> str:
    sign = _SIGNS.get(entry["status"], "")
    match entry["kind"]:
        case "event":
            return f"{sign}{entry['name']}"
        case "request" | "deadline":
            return f"{sign}{entry['kind']}"
        case "read_models":
            return f"{sign}read models"
        case kind:
            return f"{sign}{kind.replace('_', ' ')} {entry['name']}"


def _span(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < _MINUTE else f"{seconds / _MINUTE:.1f} min"
