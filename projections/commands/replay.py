"""`orderflow replay`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from infra.commands.options import Data, Dsn
from infra.commands.output import AsJson, wants_json
from projections.commands.stretch import where


def replay(  # noqa: PLR0913  # one parameter an option
    *,
    schema: Annotated[
        str | None, typer.Option("--to", help="The scratch schema to fill; it is made.", show_default=False)
    ] = None,
    decide: Annotated[
        bool, typer.Option("--decide", help="Decide again instead, and list what would differ now.")
    ] = False,
    projection: Annotated[
        list[str] | None, typer.Option("--projection", "-p", help="Repeatable; without it, every one.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Only what happened in this shop.")] = None,
    first: Annotated[  # noqa: ANN401 - typer knows no unions, so the parser says the type
        Any, typer.Option("--from", parser=where, metavar="WHERE", help="A position of the log, or an instant.")
    ] = None,
    last: Annotated[  # noqa: ANN401 - the same
        Any,
        typer.Option("--until", parser=where, metavar="WHERE", help="The last position, or an instant: as of then."),
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Empty the schema of an earlier replay first.")] = False,
    file: Annotated[
        list[Path] | None,
        typer.Option(
            help="With --decide: recorded events, one on each line, instead of a log; repeatable.", show_default=False
        ),
    ] = None,
    grace: Annotated[
        float, typer.Option(min=0, help="With --decide: seconds that a history may still take to go on.")
    ] = 120.0,
    dsn: Dsn = None,
    data: Data = None,
    as_json: AsJson = None,
) -> None:
    """Run the projections over history into a scratch schema, or with --decide the rules, without any other effect.

    Tables have their usual names there. When it is interrupted, the same command goes on. Without --from, they are what
    the read models were at --until; with it, rows that began earlier are left out. Remove it with DROP SCHEMA.

    With --decide, aggregates and processes of this release decide everything again that is recorded. Nothing is written
    and nobody is asked. It ends with 1 when something would now be decided otherwise.
    """
    if decide:
        if schema or projection or restart:
            raise typer.BadParameter("--decide fills no schema: leave out --to, --projection and --restart.")
        from projections.commands import deciding

        asked = deciding.Asked(file or [], tenant, first, last, grace, dsn, data)
        deciding.decide_again(asked, as_json=wants_json(as_json))
    if not schema or file:
        raise typer.BadParameter("Name a scratch schema to fill with --to, or say --decide, which also takes --file.")
    from projections.commands import filling

    wanted = filling.Asked(schema, projection or [], tenant, first, last, restart, dsn, data)
    filling.fill(wanted, as_json=wants_json(as_json))
