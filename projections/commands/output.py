"""How comparisons are shown."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from infra.commands.output import wants_json, write_json, write_table

if TYPE_CHECKING:
    from projections.versions.comparison import Comparison


def told(found: "Comparison") -> dict[str, Any]:
    """Give a comparison as JSON has it."""
    return {
        "projection": found.projection,
        "rows": found.rows,
        "differing": found.differing,
        "columns": dict(found.columns),
        "examples": [{**asdict(each), "key": list(map(str, each.key))} for each in found.examples],
    }


def tell(found: "Comparison", *, as_json: bool | None) -> None:
    if wants_json(as_json):
        write_json(told(found))
        return
    if not found.differing:
        typer.echo(f"{found.projection}: all {found.rows:,} rows agree.")
        return
    typer.secho(f"{found.projection}: {found.differing:,} of {found.rows:,} rows differ.", fg=typer.colors.RED)
    rows = [
        (
            " ".join(map(str, each.key)),
            ", ".join(each.columns) or f"missing in the {each.missing_in} version",
            "\n".join(f"{at.position}: {at.type} {at.stream_id} v{at.version}" for at in each.events),
        )
        for each in found.examples
    ]
    write_table("Differences", ("row", "columns", "events behind them"), rows)
