"""`orderflow events`: read the log itself. Personal fields are masked unless asked for."""

from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

import typer

from infra.commands.options import Data, Dsn, Reveal
from infra.commands.output import AsJson, moment, wants_json, write_json, write_table

if TYPE_CHECKING:
    from infra.event_log import Stored
    from schemas.events.order import Contact

events = typer.Typer(help="Read the event log.", no_args_is_help=True)

MASK = "***"


@events.command()
def tail(  # noqa: PLR0913  # one parameter an option
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, max=10_000, help="How many of the newest.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes; Ctrl-C ends.")] = False,
    category: Annotated[Literal["product", "stock", "order", "payment"] | None, typer.Option()] = None,
    reveal: Reveal = False,
    dsn: Dsn = None,
    data: Data = None,
    as_json: AsJson = None,
) -> None:
    """Show the newest events, the oldest first."""
    from infra.commands.log_reading import contacts, newest, reading

    as_lines = wants_json(as_json)

    def show(stored: "Stored") -> None:
        told = readable(stored, reveal=reveal, contact=opened(stored))
        if as_lines:
            write_json(told)
        else:
            typer.echo(_line(told))

    with reading(dsn, data) as connection:
        opened = contacts(connection, data, reveal=reveal)
        for stored in newest(connection, limit, category=category, follow=follow):
            show(stored)


@events.command()
def show(
    stream_id: Annotated[UUID, typer.Argument(metavar="STREAM_ID", help="Such as an order's id.", show_default=False)],
    *,
    reveal: Reveal = False,
    dsn: Dsn = None,
    data: Data = None,
    as_json: AsJson = None,
) -> None:
    """Show every event of one stream."""
    from infra.commands.failure import Failure
    from infra.commands.log_reading import contacts, reading, stream

    with reading(dsn, data) as connection:
        opened = contacts(connection, data, reveal=reveal)
        found = stream(connection, stream_id)
        told = [readable(stored, reveal=reveal, contact=opened(stored)) for stored in found]
    if not told:
        raise Failure(f"The log holds no stream {stream_id}.")
    if wants_json(as_json):
        for each in told:
            write_json(each)
        return
    rows = [
        (each["version"], moment(each["occurred_at"]), each["event"]["type"], each["actor"], _facts(each["event"]))
        for each in told
    ]
    write_table(f"Stream {stream_id}", ("version", "at (UTC)", "event", "by", "facts"), rows)


def readable(stored: "Stored", *, reveal: bool, contact: "Contact | None" = None) -> dict[str, Any]:
    """Give an event in its stored form, with its position; personal fields are masked unless `reveal`.

    `contact` is what was opened of it, and is shown in its place.
    """
    import json

    from schemas.personal import Personal, Sealed
    from schemas.wire import EVENTS, SUPERSEDED

    told: dict[str, Any] = {"position": stored.position, **stored.recorded.model_dump(mode="json")}
    told["event"] = json.loads(stored.state)["event"]
    event = {**EVENTS, **SUPERSEDED}[told["event"]["type"]].model_validate_json(json.dumps(told["event"]))
    for name in type(event).model_fields:
        if isinstance(getattr(event, name), Personal | Sealed):
            if not reveal:
                told["event"][name] = dict.fromkeys(told["event"][name], MASK)
            elif contact is not None:
                told["event"][name] = contact.model_dump(mode="json")
    return told


def _line(told: dict[str, Any]) -> str:
    head = f"{told['position']:>8}  {moment(told['occurred_at'])}  {told['event']['type']:<26}"
    return f"{head} {told['stream_id']} v{told['version']}  {told['actor']}"


def _facts(event: dict[str, Any]) -> str:
    import json

    return "\n".join(
        f"{name} {json.dumps(value, ensure_ascii=False)}" for name, value in event.items() if name != "type"
    )
