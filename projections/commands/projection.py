"""`orderflow projection`: what is derived from the log, how far it is, and how it is made anew."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.commands.options import Data, Dsn
from infra.commands.output import AsJson, wants_json, write_json
from projections.commands import looking
from projections.commands.group import Name, projection
from projections.commands.output import tell

if TYPE_CHECKING:
    from projections.versions.comparison import Comparison

__all__ = ["looking", "projection"]


@projection.command()
def rebuild(
    names: Name,
    *,
    restart: Annotated[bool, typer.Option("--restart", help="Begin again with what was begun.")] = False,
    dsn: Dsn = None,
    data: Data = None,
    as_json: AsJson = None,
) -> None:
    """Make a version beside the serving one from the log, and follow until it is as far as that.

    Queries and live traffic go on. When it is interrupted, the same command goes on with it.
    """
    from time import perf_counter

    from projections.commands.session import bar, carry_out, projections_named
    from projections.versions.beside import beside

    chosen = projections_named(names)
    as_lines = wants_json(as_json)

    async def work(pool: Any, settings: Any) -> None:  # noqa: ANN401  # a pool and settings, imported late
        for name in chosen:
            async with beside(name, pool, settings) as versions:
                began_at = perf_counter()
                with bar(name, 0, await versions.live_position()) as advanced:
                    position = await versions.rebuild(advanced, restart=restart)
                seconds = round(perf_counter() - began_at, 1)
            if as_lines:
                write_json({"projection": name, "position": position, "seconds": seconds})
            else:
                typer.echo(f"{name} is rebuilt up to position {position:,}, in {seconds} s.")

    carry_out(dsn, data, work)


@projection.command()
def compare(
    names: Name,
    *,
    examples: Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000, help="Rows to show.")] = 20,
    dsn: Dsn = None,
    data: Data = None,
    as_json: AsJson = None,
) -> None:
    """Compare the rebuilt version with the serving one, row by row. Ends with 1 when they differ.

    Shows the columns that differ and the events that wrote them, not what they hold.
    """
    from projections.commands.session import carry_out, projections_named
    from projections.versions.beside import beside

    chosen = projections_named(names)

    async def work(pool: Any, settings: Any) -> "list[Comparison]":  # noqa: ANN401  # a pool and settings, imported late
        found = []
        for name in chosen:
            async with beside(name, pool, settings) as versions:
                found.append(await versions.compare(examples=examples))
        return found

    compared = carry_out(dsn, data, work)
    for each in compared:
        tell(each, as_json=as_json)
    raise typer.Exit(any(each.differing for each in compared))


@projection.command()
def switch(
    names: Name,
    *,
    tolerance: Annotated[int, typer.Option(min=0, help="How many rows may differ.")] = 0,
    dsn: Dsn = None,
    data: Data = None,
    as_json: AsJson = None,
) -> None:
    """Let the rebuilt version serve, in one transaction, unless more rows differ than are tolerated.

    The version that served is kept for `orderflow projection rollback`.
    """
    from infra.commands.failure import REFUSED, Failure
    from projections.commands.session import carry_out, projections_named
    from projections.versions.beside import beside
    from projections.versions.switching import TooDifferent

    chosen = projections_named(names)

    async def work(pool: Any, settings: Any) -> None:  # noqa: ANN401  # a pool and settings, imported late
        for name in chosen:
            async with beside(name, pool, settings) as versions:
                try:
                    found = await versions.switch(tolerance)
                except TooDifferent as different:
                    tell(different.comparison, as_json=as_json)
                    said = f"{name} is not switched: {different}, and {tolerance} are tolerated."
                    raise Failure(said, REFUSED) from different
            if wants_json(as_json):
                write_json({"projection": name, "switched": True, "differing": found.differing})
            else:
                typer.echo(f"{name} is switched; {found.differing} of {found.rows:,} rows differed.")

    carry_out(dsn, data, work)


@projection.command()
def rollback(names: Name, *, dsn: Dsn = None, data: Data = None, as_json: AsJson = None) -> None:
    """Let the version serve that did before the switch, after it has caught up; the other one is the rebuilt again."""
    from projections.commands.session import carry_out, projections_named
    from projections.versions.beside import beside

    chosen = projections_named(names)

    async def work(pool: Any, settings: Any) -> None:  # noqa: ANN401  # a pool and settings, imported late
        for name in chosen:
            async with beside(name, pool, settings) as versions:
                await versions.rollback()
            if wants_json(as_json):
                write_json({"projection": name, "rolled_back": True})
            else:
                typer.echo(f"{name} is what it was before the switch.")

    carry_out(dsn, data, work)
