"""`orderflow order`: place, show, list and cancel orders through the public APIs."""

from typing import TYPE_CHECKING, Annotated

import typer

from infra.commands.as_of import AsOf, get_as_of
from infra.commands.ask import ask_platform
from infra.commands.options import QueryUrl, ReadyFile, WriteUrl
from infra.commands.order_past import OrderId, diff, export_test, show_past
from infra.commands.order_story import show_story
from infra.commands.output import AsJson, facts_in_words, moment, money, wants_json, write_json, write_table

if TYPE_CHECKING:
    from infra.client import Api, Json

order = typer.Typer(help="Place, show, list, cancel and explain orders.", no_args_is_help=True)
order.command()(diff)
order.command("export-test")(export_test)

Key = Annotated[str | None, typer.Option(help="Idempotency key; the same key again repeats nothing.")]
ENDED = frozenset({"confirmed", "cancelled", "partly_shipped", "shipped", "delivered", "completed"})
WAIT_SECONDS = 30.0
CARD = "tok_visa"


@order.callback()
def _where(
    context: typer.Context,
    ready_file: ReadyFile = None,
    write_url: WriteUrl = None,
    query_url: QueryUrl = None,
    token: Annotated[str | None, typer.Option(help="Or ORDERFLOW_TOKEN, which other users cannot see.")] = None,
) -> None:
    """With a platform running on this machine, no option is needed."""
    context.obj = {"ready_file": ready_file, "write_url": write_url, "query_url": query_url, "token": token}


@order.command()
def place(  # noqa: PLR0913  # one parameter an option
    context: typer.Context,
    lines: Annotated[list[str], typer.Argument(metavar="SKU[:QUANTITY]...", show_default=False)],
    *,
    name: Annotated[str, typer.Option()] = "Marta Vidigal",
    email: Annotated[str, typer.Option()] = "marta@mail.example",
    address: Annotated[str, typer.Option()] = "Rua das Oliveiras 12, 4050-449 Porto",
    phone: Annotated[str | None, typer.Option(help="In the form +351912345678.")] = None,
    note: Annotated[str | None, typer.Option(help="A note for whoever packs it.")] = None,
    locale: Annotated[str, typer.Option(help="Language of the mail: en or pt.")] = "en",
    payment_token: Annotated[str, typer.Option(help="tok_declined and others fail on purpose.")] = CARD,
    key: Key = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until it is confirmed or cancelled.")] = False,
    only_id: Annotated[bool, typer.Option("--id", help="Print the order's id alone, for a script.")] = False,
    as_json: AsJson = None,
) -> None:
    """Place an order for one product or more."""
    contact = {"name": name, "email": email, "address": address, "phone": phone, "note": note}
    body: Json = {
        "contact": {field: value for field, value in contact.items() if value is not None},
        "locale": locale,
        "lines": [_line(line) for line in lines],
        "payment_token": payment_token,
    }

    async def conversation(api: "Api") -> "Json":
        placed = await api.post("/v1/orders", body, key=key)
        return {**placed, "status": (await _settled(api, placed))["status"]} if wait else placed

    placed = ask_platform(context, conversation)
    if only_id:
        typer.echo(placed["order_id"])
    elif wants_json(as_json):
        write_json(placed)
    else:
        typer.echo(f"Order {placed['order_id']} over {money(placed['total'])} is {placed['status']}.")
        typer.echo(f"Follow it with: orderflow order show {placed['order_id']}")


@order.command()
def show(
    context: typer.Context,
    order_id: OrderId,
    *,
    timeline: Annotated[
        bool, typer.Option("--timeline", help="The whole story: what caused what, and what is waited for.")
    ] = False,
    at: Annotated[
        str | None, typer.Option(metavar="VERSION|INSTANT", help="What it was then.", show_default=False)
    ] = None,
    as_json: AsJson = None,
) -> None:
    """Show one order and what happened to it."""
    if timeline and at:
        raise typer.BadParameter("Either --timeline or --at, not both.")
    if at:
        show_past(context, order_id, at, as_json)
        return
    if timeline:
        show_story(context, order_id, as_json)
        return

    async def conversation(api: "Api") -> "tuple[Json, Json]":
        events = await api.get(f"/v1/orders/{order_id}/timeline", story="false")
        return await api.get(f"/v1/orders/{order_id}"), events

    detail, told = ask_platform(context, conversation)
    if wants_json(as_json):
        write_json({**detail, "timeline": told["items"]})
        return
    reason = f" ({detail['cancel_reason']})" if detail["cancel_reason"] else ""
    typer.echo(f"Order {order_id} is {detail['status']}{reason}; payment {detail['payment']['status']}.")
    currency = detail["total"]["currency"]
    rows = [
        (line["sku"], line["name"], line["quantity"], money({"amount": line["unit_price"], "currency": currency}))
        for line in detail["lines"]
    ]
    write_table(f"{money(detail['total'])} in all", ("SKU", "product", "quantity", "each"), rows)
    events = [
        (moment(entry["occurred_at"]), entry["kind"], entry["actor"], facts_in_words(entry["facts"]))
        for entry in told["items"]
    ]
    write_table("What happened", ("at (UTC)", "event", "by", "facts"), events)


@order.command("list")
def list_orders(  # noqa: PLR0913  # one parameter an option
    context: typer.Context,
    *,
    status: Annotated[str | None, typer.Option(help="Only these, such as confirmed.")] = None,
    q: Annotated[str | None, typer.Option("--search", "-q", help="Words of customer, product or order id.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 20,
    cursor: Annotated[str | None, typer.Option(help="`next_cursor` of the page before.")] = None,
    as_of: AsOf = None,
    as_json: AsJson = None,
) -> None:
    """List orders, the newest first."""

    async def conversation(api: "Api") -> "Json":
        return await get_as_of(api, "/v1/orders", as_of, status=status, q=q, limit=limit, cursor=cursor)

    page = ask_platform(context, conversation)
    if wants_json(as_json):
        write_json(page)
        return
    rows = [
        (
            moment(row["placed_at"]),
            row["order_id"],
            "(masked)" if row["masked"] else row["customer_name"],
            money(row["total"]),
            row["status"],
        )
        for row in page["items"]
    ]
    write_table("Orders", ("placed (UTC)", "order", "customer", "total", "status"), rows)
    if page["next_cursor"]:
        then = f" --as-of {as_of}" if as_of else ""
        typer.echo(f"More: orderflow order list --cursor {page['next_cursor']}{then}")


@order.command()
def cancel(
    context: typer.Context,
    order_id: OrderId,
    reason: Annotated[str | None, typer.Option(help="customer_request or staff_decision.")] = None,
    key: Key = None,
    as_json: AsJson = None,
) -> None:
    """Cancel an order of which nothing has shipped."""

    async def conversation(api: "Api") -> "Json":
        return await api.post(f"/v1/orders/{order_id}/cancellation", {"reason": reason} if reason else {}, key=key)

    cancelled = ask_platform(context, conversation)
    if wants_json(as_json):
        write_json(cancelled)
    else:
        typer.echo(f"Order {order_id} is {cancelled['status']}.")


def _line(text: str) -> dict[str, str | int]:
    sku, _, quantity = text.partition(":")
    if not sku or not (quantity or "1").isdecimal():
        raise typer.BadParameter(f"{text!r} is not SKU or SKU:QUANTITY, such as BEANS-MINAS-250:2")
    return {"sku": sku, "quantity": int(quantity or 1)}


async def _settled(api: "Api", placed: "Json") -> "Json":
    """Ask until the order is decided; the query API itself waits for the position."""
    import asyncio
    from time import monotonic

    from infra.commands.failure import Failure

    until = monotonic() + WAIT_SECONDS
    position = placed["position"]
    while monotonic() < until:
        detail = await api.get(f"/v1/orders/{placed['order_id']}", min_position=position)
        if detail["status"] in ENDED:
            return detail
        await asyncio.sleep(0.1)
    raise Failure(f"Order {placed['order_id']} was placed, and is not decided after {WAIT_SECONDS:.0f} seconds.")
