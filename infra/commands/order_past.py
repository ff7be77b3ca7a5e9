"""`orderflow order diff` and `export-test`: what changed in an order's past, and its past as a test."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

import typer

from infra.commands.ask import ask_platform
from infra.commands.options import Data, Dsn
from infra.commands.output import AsJson, in_words, moment, wants_json, write_json, write_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.client import Api, Json
    from infra.commands.platform_database import Connection
    from schemas.recorded import Recorded

OrderId = Annotated[UUID, typer.Argument(metavar="ORDER_ID", show_default=False)]


def diff(  # noqa: PLR0913  # one parameter an option
    context: typer.Context,
    order_id: OrderId,
    *,
    begin: Annotated[
        str, typer.Option("--from", metavar="VERSION|INSTANT", help="Such as 2 or 2026-03-02T12:00:00Z.")
    ] = "1",
    end: Annotated[
        str | None, typer.Option("--to", metavar="VERSION|INSTANT", help="Without it, now.", show_default=False)
    ] = None,
    of: Annotated[Literal["order", "payment"], typer.Option(help="Which of the two.")] = "order",
    as_json: AsJson = None,
) -> None:
    """Show what changed between two points of an order's past, or of its payment's."""
    points = {**_point("from", begin), **(_point("to", end) if end else {})}

    async def conversation(api: "Api") -> "Json":
        return await api.get(f"/v1/{of}s/{order_id}/diff", **points)

    found = ask_platform(context, conversation)
    if wants_json(as_json):
        write_json(found)
        return
    before, after = (
        f"version {point['version']} ({moment(point['recorded_at'])})" for point in (found["before"], found["after"])
    )
    typer.echo(f"The {of} from {before} to {after}:")
    for sentence in found["sentences"] or ["Nothing has changed."]:
        typer.echo(f"  {sentence}")


def show_past(context: typer.Context, order_id: UUID, at: str, as_json: bool | None) -> None:  # noqa: FBT001  # an option
    """Show what an order was at a point of its past."""
    point = {"at_version" if at.isdecimal() else "as_of": at}

    async def conversation(api: "Api") -> "Json":
        return await api.get(f"/v1/orders/{order_id}/state", **point)

    found = ask_platform(context, conversation)
    if wants_json(as_json):
        write_json(found)
        return
    when = found["at"]
    title = f"Order {order_id} at version {when['version']} ({moment(when['recorded_at'])})"
    write_table(title, ("", ""), ((name, in_words(value)) for name, value in found["state"].items()))


def export_test(
    order_id: OrderId,
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A new file; without it, standard output.", show_default=False)
    ] = None,
    most_stock: Annotated[
        int, typer.Option("--stock", min=0, help="Leave out SKUs whose stock has more events, of all orders.")
    ] = 200,
    dsn: Dsn = None,
    data: Data = None,
) -> None:
    """Write an order's history as a test of the rules: given what had happened, when this was asked, then that."""
    from pydantic import ValidationError

    from infra.commands.failure import Failure
    from infra.commands.log_reading import reading
    from infra.histories import decisions

    try:
        with reading(dsn, data) as connection:
            history = list(_history(connection, order_id, most_stock))
        if not history:
            raise Failure(f"The log holds no order {order_id}.")
        source = decisions()["aggregates"].as_test(history)
    except ValidationError as strange:
        raise Failure(f"The history of {order_id} holds an event that cannot be read.") from strange
    if output is None:
        typer.echo(source, nl=False)
        return
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(source)
    except OSError as refused:
        raise Failure(f"{output} cannot be written: {refused.strerror}.") from refused
    typer.echo(f"{output} holds {source.count('def test_')} tests. Run it with: pytest {output}")


def _history(connection: "Connection", order_id: UUID, most_stock: int) -> "Iterator[Recorded]":
    """Give the streams of an order, of its payment, and of the stock that it asked for."""
    from infra.commands.log_reading import stream
    from schemas.events.order import OrderPlaced
    from schemas.ids import payment_id, stock_id

    order = [stored.recorded for stored in stream(connection, order_id)]
    placed = order[0].event if order else None
    if not isinstance(placed, OrderPlaced):
        return
    yield from order
    yield from (stored.recorded for stored in stream(connection, payment_id(order_id)))
    for line in placed.lines:
        stock = stream(connection, stock_id(order[0].tenant_id, line.sku))
        if len(stock) <= most_stock:
            yield from (stored.recorded for stored in stock)
        else:
            typer.echo(f"# The stock of {line.sku} has {len(stock)} events and is left out; see --stock.", err=True)


def _point(name: str, text: str) -> dict[str, str]:
    return {f"{name}_version" if text.isdecimal() else f"{name}_as_of": text}
