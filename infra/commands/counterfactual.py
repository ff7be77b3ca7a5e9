"""`orderflow counterfactual`: what the rules of this release would decide otherwise about what was recorded."""

from collections.abc import Iterator
from dataclasses import asdict, astuple
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.commands.output import AsJson, wants_json, write_json, write_table

if TYPE_CHECKING:
    from infra.event_log import Stored

_SHOWN = 1_000


def counterfactual(  # one parameter an option
    *,
    file: Annotated[
        list[Path] | None,
        typer.Option(
            help="Recorded events, one on each line, instead of a log; may be given again.", show_default=False
        ),
    ] = None,
    grace: Annotated[float, typer.Option(min=0, help="Seconds that a history may still take to go on.")] = 120.0,
    dsn: Annotated[str | None, typer.Option(help="The database; without it, that of the running platform.")] = None,
    data: Annotated[Path | None, typer.Option(help="The data folder of a running platform.")] = None,
    as_json: AsJson = None,
) -> None:
    """Decide everything that is recorded again, by aggregates and processes, and list what would differ now.

    Nothing is written and nobody is asked. Ends with 1 when something differs.
    """
    from rich.console import Console
    from rich.progress import track

    from infra.commands.log_reading import everything, reading, size
    from infra.judging import judged

    if file:
        found = [each for path in file for each in judged(_lines(path), grace=0)]
    else:
        with reading(dsn, data) as connection:
            console = Console(stderr=True)
            log, total = everything(connection), size(connection)
            shown = track(
                log, "Deciding again", total, console=console, transient=True, disable=not console.is_terminal
            )
            found = list(judged(shown, grace=grace))
    if wants_json(as_json):
        for each in found:
            write_json({**asdict(each), "stream_id": str(each.stream_id)})
    elif found:
        columns = ("position", "stream", "version", "decided by", "recorded", "now")
        write_table("Decisions that differ", columns, (astuple(each) for each in found[:_SHOWN]))
    else:
        typer.echo("Everything would be decided as it was.")
    raise typer.Exit(bool(found))


def _lines(path: Path) -> "Iterator[Stored]":
    from pydantic import ValidationError

    from infra.commands.failure import Failure
    from infra.event_log import Stored
    from schemas.recorded import decode

    try:
        lines = path.read_bytes().splitlines()
    except OSError as missing:
        raise Failure(f"{path} cannot be read: {missing.strerror}.") from missing
    for number, line in enumerate(lines, 1):
        try:
            recorded = decode(line)
        except ValidationError as wrong:
            raise Failure(f"Line {number} of {path} is no recorded event.") from wrong
        yield Stored(number, recorded.stream_id, recorded.version, recorded.event.type, line)
