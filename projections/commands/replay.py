"""`orderflow replay`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.commands.output import AsJson, wants_json, write_json, write_table

if TYPE_CHECKING:
    from projections.versions.replay import Replayed, Stretch

Where = int | datetime


def _where(text: str) -> Where:
    if text.isdecimal():
        return int(text[:19])
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        said = f"{text!r} is neither a position nor an instant such as 2026-03-01T12:00Z"
        raise typer.BadParameter(said) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def replay(  # noqa: PLR0913  # one parameter an option
    *,
    schema: Annotated[str, typer.Option("--to", help="The scratch schema to fill; it is made.", show_default=False)],
    projection: Annotated[
        list[str] | None, typer.Option("--projection", "-p", help="Repeatable; without it, every one.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Only what happened in this shop.")] = None,
    first: Annotated[  # noqa: ANN401 - typer knows no unions, so the parser says the type
        Any, typer.Option("--from", parser=_where, metavar="WHERE", help="A position of the log, or an instant.")
    ] = None,
    last: Annotated[  # noqa: ANN401 - the same
        Any,
        typer.Option("--until", parser=_where, metavar="WHERE", help="The last position, or an instant: as of then."),
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Empty the schema of an earlier replay first.")] = False,
    dsn: Annotated[str | None, typer.Option(help="The database; without it, that of the running platform.")] = None,
    data: Annotated[Path | None, typer.Option(help="The data folder of a running platform.")] = None,
    as_json: AsJson = None,
) -> None:
    """Run the projections over history into a scratch schema, without any other effect.

    Tables have their usual names there. When it is interrupted, the same command goes on. Without --from, they are what
    the read models were at --until; with it, rows that began earlier are left out. Remove it with DROP SCHEMA.
    """
    from infra.commands.failure import REFUSED, Failure
    from projections.commands.session import bar, carry_out, projections_named
    from projections.live import NAME
    from projections.main import READ_MODELS
    from projections.versions.beside import steps_for
    from projections.versions.replay import Replay, Unusable, usable
    from projections.versions.switching import exclusive

    names = projections_named(projection or [model.name for model in READ_MODELS])
    models = [model for model in READ_MODELS if model.name in names]
    if NAME in (projection or []):
        raise Failure(f"{NAME} is in Redis: see `orderflow projection rebuild {NAME}`.")

    async def work(pool: Any, settings: Any) -> "Replayed":  # noqa: ANN401  # a pool, imported late
        async with pool.connection() as connection:
            await connection.execute("SET statement_timeout = 0")
            try:
                stretch = await _stretch(connection, first, last, tenant)
                async with exclusive(connection, f"schema {usable(schema)}"):
                    steps = steps_for(models, pool, settings)
                    run = await Replay(connection, schema, models, stretch, steps).open(restart=restart)
                    with bar(f"replay to {schema}", run.position, stretch.until) as advanced:
                        return await run.run(advanced)
            except Unusable as unusable:
                raise Failure(str(unusable), REFUSED) from unusable

    done = carry_out(dsn, data, work)
    if wants_json(as_json):
        write_json(
            {
                "schema": schema,
                "position": done.position,
                "rows": done.rows,
                "left_out": done.left_out,
                "unreadable_streams": done.unreadable,
            }
        )
        return
    write_table(f"{schema}, up to position {done.position:,}", ("table", "rows"), done.rows.items())
    if done.left_out:
        typer.echo(f"{done.left_out:,} events are left out: what they change began before --from.")
    if done.unreadable:
        typer.secho(f"{done.unreadable:,} streams stop at an event that cannot be read.", fg=typer.colors.YELLOW)


async def _stretch(connection: Any, first: Where | None, last: Where | None, tenant: str | None) -> "Stretch":  # noqa: ANN401  # imported late
    from infra.commands.failure import Failure
    from projections.versions.instants import ends, position_at
    from projections.versions.replay import Stretch

    beginning, end = await ends(connection)
    for where in (first, last):
        if isinstance(where, int) and not beginning <= where <= end:
            raise Failure(f"The log has positions {beginning} to {end}, and not {where}.")
        if isinstance(where, datetime) and where > datetime.now(UTC):
            raise Failure(f"{where.isoformat()} has not come yet.")
    until = await position_at(connection, last) if isinstance(last, datetime) else last
    if until == 0:
        raise Failure("The log holds nothing that happened so early.")
    after = await position_at(connection, first, inclusive=False) if isinstance(first, datetime) else (first or 1) - 1
    if after >= (end if until is None else until):
        raise Failure("There is nothing between --from and --until.")
    return Stretch(after, end if until is None else until, tenant, open_ended=until is None)
