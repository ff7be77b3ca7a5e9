"""`orderflow replay`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.commands.options import Data, Dsn
from infra.commands.output import AsJson, wants_json, write_json, write_table
from projections.commands.stretch import where

if TYPE_CHECKING:
    from projections.versions.replay import Replayed


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
        from projections.commands.deciding import Asked, decide_again

        asked = Asked(file or [], tenant, first, last, grace, dsn, data)
        decide_again(asked, as_json=wants_json(as_json))
    if not schema or file:
        raise typer.BadParameter("Name a scratch schema to fill with --to, or say --decide, which also takes --file.")
    from infra.commands.failure import REFUSED, Failure
    from infra.exclusive import exclusive
    from projections.commands.session import bar, carry_out, projections_named
    from projections.commands.stretch import stretch_of
    from projections.live import NAME
    from projections.main import READ_MODELS
    from projections.versions.beside import steps_for
    from projections.versions.replay import Replay, Unusable, usable

    names = projections_named(projection or [model.name for model in READ_MODELS])
    models = [model for model in READ_MODELS if model.name in names]
    if NAME in (projection or []):
        raise Failure(f"{NAME} is in Redis: see `orderflow projection rebuild {NAME}`.")

    async def work(pool: Any, settings: Any) -> "Replayed":  # noqa: ANN401  # a pool, imported late
        async with pool.connection() as connection:
            await connection.execute("SET statement_timeout = 0")
            try:
                stretch = await stretch_of(connection, first, last, tenant)
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
