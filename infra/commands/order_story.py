"""`orderflow order show --timeline`: the story of an order as a tree of causes."""

from typing import TYPE_CHECKING, Final

import typer

from infra.commands.ask import ask_platform
from infra.commands.output import facts_in_words, moment, wants_json, write_json, write_table

if TYPE_CHECKING:
    from uuid import UUID

    from infra.client import Api, Json

_SIGNS: Final = {"waiting": "... ", "parked": "!!! ", "no_trace": "(?) "}
_MINUTE: Final = 60


def show_story(context: typer.Context, order_id: "UUID", as_json: bool | None) -> None:  # noqa: FBT001  # an option
    async def conversation(api: "Api") -> "Json":
        return await api.get(f"/v1/orders/{order_id}/timeline")

    told = ask_platform(context, conversation)
    if wants_json(as_json):
        write_json({"order_id": str(order_id), "story": told["story"], "waiting": told["waiting"]})
        return
    rows = [
        (
            moment(entry["at"]) if entry["at"] else "",
            _span(entry["elapsed"]),
            f"{'  ' * entry['depth']}{_SIGNS.get(entry['status'], '')}{_title(entry)}",
            entry["who"],
            facts_in_words(entry["facts"]),
        )
        for entry in told["story"]
    ]
    write_table(f"Order {order_id}", ("at (UTC)", "after", "what", "who", "facts"), rows)
    for each in told["waiting"]:
        until = f" until {moment(each['until'])}" if each["until"] else ""
        error = f": {each['error']}" if each["error"] else ""
        typer.echo(f"Now {each['for_what']}{until}{error}.")
    if not told["waiting"]:
        typer.echo("Nothing is waited for.")


def _title(entry: "Json") -> str:
    match entry["kind"]:
        case "event":
            return str(entry["name"])
        case "request" | "deadline":
            return str(entry["kind"])
        case "read_models":
            return "read models"
        case kind:
            return f"{kind.replace('_', ' ')} {entry['name']}"


def _span(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < _MINUTE else f"{seconds / _MINUTE:.1f} min"
