"""`orderflow figures`."""

from typing import TYPE_CHECKING

import typer

from infra.commands.as_of import AsOf, get_as_of
from infra.commands.options import ReadyFile
from infra.commands.output import AsJson, money, wants_json, write_json, write_table

if TYPE_CHECKING:
    from infra.client import Api, Json


def figures(
    *,
    as_of: AsOf = None,
    ready_file: ReadyFile = None,
    as_json: AsJson = None,
) -> None:
    """Show the figures of the dashboard: orders by status, and what was sold that day."""
    from infra.commands.ask import ask
    from infra.commands.where import Place

    async def conversation(api: "Api") -> "Json":
        return await get_as_of(api, "/v1/dashboard", as_of)

    found = ask(Place(ready_file), conversation)
    if wants_json(as_json):
        write_json(found)
        return
    minutes = found["orders_per_minute"]
    rows = [(status, count) for status, count in found["orders_by_status"].items() if count]
    write_table(f"Orders, of which {sum(each['orders'] for each in minutes)} in 60 minutes", ("status", "orders"), rows)
    typer.echo(f"Sold on that day (UTC): {', '.join(map(money, found['revenue_today'])) or 'nothing'}")
