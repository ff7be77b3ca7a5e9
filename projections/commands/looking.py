"""`orderflow projection list`, `lag` and `drift`: how projections are."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.commands.options import Data, Dsn
from infra.commands.output import AsJson, moment, wants_json, write_json, write_table
from projections.commands.group import Names, projection
from projections.commands.output import tell, told

if TYPE_CHECKING:
    from projections.versions.overview import Looked


@projection.command("list")
def list_projections(*, dsn: Dsn = None, data: Data = None, as_json: AsJson = None) -> None:
    """List projections with the versions beside the serving one: rebuilt, and previous to go back to.

    `drift` is how many rows differed from the log, of those that were looked at last.
    """
    from projections.commands.session import carry_out
    from projections.versions.beside import positions
    from projections.versions.overview import SUBSCRIPTION_OF, lags, looks

    async def look(pool: Any, settings: Any) -> list[dict[str, Any]]:  # noqa: ANN401  # a pool, imported late
        beside = await positions(pool, settings)
        async with pool.connection() as connection:
            looked = await looks(connection)
            return [
                {
                    "projection": lag.projection,
                    "subscription": lag.subscription,
                    "position": lag.position,
                    "behind": lag.behind,
                    **{place: known.get(lag.projection) for place, known in beside.items()},
                    **_drift(looked.get(lag.projection)),
                }
                for lag in await lags(connection, SUBSCRIPTION_OF)
            ]

    found = carry_out(dsn, data, look)
    if wants_json(as_json):
        for each in found:
            write_json(each)
        return
    columns = ("projection", "subscription", "position", "behind", "rebuilt", "previous", "drift", "looked at (UTC)")
    rows = [
        (*(each[column] for column in columns[:-2]), _of_rows(each), moment(each["looked_at"] or "")) for each in found
    ]
    write_table("Projections", columns, rows)


def _drift(looked: "Looked | None") -> dict[str, Any]:
    if looked is None:
        return {"looked_at": None, "rows": None, "differing": None}
    return {"looked_at": looked.looked_at.isoformat(), "rows": looked.rows, "differing": looked.differing}


def _of_rows(told: dict[str, Any]) -> str:
    return "" if told["rows"] is None else f"{told['differing']} of {told['rows']}"


@projection.command()
def lag(names: Names = None, *, dsn: Dsn = None, data: Data = None, as_json: AsJson = None) -> None:
    """Show how far projections are behind the log, in events and in seconds."""
    from datetime import UTC, datetime

    from projections.commands.session import carry_out, projections_named
    from projections.versions.overview import lags

    chosen = projections_named(names or ["all"])

    async def look(pool: Any, _: object) -> list[dict[str, Any]]:  # noqa: ANN401  # the same
        async with pool.connection() as connection:
            return [
                {
                    "projection": lag.projection,
                    "position": lag.position,
                    "head": lag.head,
                    "behind": lag.behind,
                    "seconds": round(lag.seconds(datetime.now(UTC)), 1),
                }
                for lag in await lags(connection, chosen)
            ]

    found = carry_out(dsn, data, look)
    if wants_json(as_json):
        for each in found:
            write_json(each)
        return
    write_table("Lag", tuple(found[0]), [tuple(each.values()) for each in found])


@projection.command()
def drift(  # noqa: PLR0913  # one parameter an option
    names: Names = None,
    *,
    sample: Annotated[int, typer.Option(min=1, max=1_000_000, help="Streams to fold, for each projection.")] = 100,
    heal: Annotated[bool, typer.Option("--heal", help="Write rows that differ again, and figures too.")] = False,
    seed: Annotated[int | None, typer.Option(help="Choose the same streams again.")] = None,
    dsn: Dsn = None,
    data: Data = None,
    as_json: AsJson = None,
) -> None:
    """Fold some streams again and compare with what is served. Ends with 1 when something differs and is not healed.

    Sales are read from the whole log, and the live figures are all counted anew.
    """
    from random import Random

    from projections.commands.session import carry_out, projections_named
    from projections.versions.beside import drifting
    from projections.versions.drift import Look, note

    chosen = projections_named(names or ["all"])
    asked = Look(sample, heal, Random(seed))  # noqa: S311 - nothing is kept secret

    async def work(pool: Any, settings: Any) -> list[dict[str, Any]]:  # noqa: ANN401  # the same
        found = []
        for name in chosen:
            drift = await drifting(name, pool, settings, asked)
            async with pool.connection() as connection:
                await note(connection, drift)
            found.append({**told(drift.found), "drift": drift.figure, "streams": drift.streams, "healed": drift.healed})
            if not wants_json(as_json):
                tell(drift.found, as_json=False)
        return found

    found = carry_out(dsn, data, work)
    if wants_json(as_json):
        for each in found:
            write_json(each)
    else:
        columns = ("projection", "streams", "rows", "differing", "drift", "healed")
        write_table("Drift", columns, [[each[column] for column in columns] for each in found])
    raise typer.Exit(any(each["differing"] > each["healed"] for each in found))
