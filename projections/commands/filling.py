"""`orderflow replay --to`: what the projections make of a part of history, in a schema of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from infra.commands.failure import REFUSED, Failure
from infra.commands.output import write_json, write_table
from infra.exclusive import exclusive
from infra.settings import Settings
from projections.commands.session import Pool, bar, carry_out, projections_named
from projections.commands.stretch import Where, stretch_of
from projections.live import NAME
from projections.main import READ_MODELS
from projections.versions.beside import steps_for
from projections.versions.replay import Replay, Replayed, Unusable, usable


@dataclass(frozen=True, slots=True)
class Asked:
    schema: str
    projections: Sequence[str]
    """Every one that is a table, when none is named."""
    tenant: str | None
    first: Where | None
    last: Where | None
    restart: bool
    dsn: str | None
    data: Path | None


def fill(asked: Asked, *, as_json: bool) -> None:
    """Make the schema and fill it, or go on with it. Raises Failure."""
    names = projections_named(list(asked.projections) or [model.name for model in READ_MODELS])
    models = [model for model in READ_MODELS if model.name in names]
    if NAME in asked.projections:
        raise Failure(f"{NAME} is in Redis: see `orderflow projection rebuild {NAME}`.")

    async def work(pool: Pool, settings: Settings) -> Replayed:
        async with pool.connection() as connection:
            await connection.execute("SET statement_timeout = 0")
            try:
                stretch = await stretch_of(connection, asked.first, asked.last, asked.tenant)
                async with exclusive(connection, f"schema {usable(asked.schema)}"):
                    steps = steps_for(models, pool, settings)
                    run = await Replay(connection, asked.schema, models, stretch, steps).open(restart=asked.restart)
                    with bar(f"replay to {asked.schema}", run.position, stretch.until) as advanced:
                        return await run.run(advanced)
            except Unusable as unusable:
                raise Failure(str(unusable), REFUSED) from unusable

    done = carry_out(asked.dsn, asked.data, work)
    if as_json:
        write_json(_told(asked.schema, done))
    else:
        _tell(asked.schema, done)


def _told(schema: str, done: Replayed) -> dict[str, object]:
    return {
        "schema": schema,
        "position": done.position,
        "rows": done.rows,
        "left_out": done.left_out,
        "unreadable_streams": done.unreadable,
    }


def _tell(schema: str, done: Replayed) -> None:
    write_table(f"{schema}, up to position {done.position:,}", ("table", "rows"), done.rows.items())
    if done.left_out:
        typer.echo(f"{done.left_out:,} events are left out: what they change began before --from.")
    if done.unreadable:
        typer.secho(f"{done.unreadable:,} streams stop at an event that cannot be read.", fg=typer.colors.YELLOW)
