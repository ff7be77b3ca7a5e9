"""`orderflow erase`: forget a customer, so that nobody can read any more who they were."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

import typer

from infra.commands.options import Dsn, QueryUrl, ReadyFile, WriteUrl

if TYPE_CHECKING:
    from infra.erasure import Certificate

erase = typer.Typer(help="Forget customers: destroy the keys that open what is personal.", no_args_is_help=True)


@erase.callback()
def _erase() -> None:
    """Histories stay complete and provable; what was personal in them opens no more."""


@erase.command()
def customer(  # noqa: PLR0913  # one parameter an option
    customer_id: Annotated[UUID, typer.Argument(metavar="CUSTOMER_ID", show_default=False)],
    *,
    reason: Annotated[
        Literal["customer_request", "retention_ended", "legal_order"], typer.Option(help="Kept in the certificate.")
    ] = "customer_request",
    certificate: Annotated[
        Path | None, typer.Option(help="Where to write it; without it, erasure-CUSTOMER_ID.json here.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: nothing brings it back.")] = False,
    ready_file: ReadyFile = None,
    write_url: WriteUrl = None,
    query_url: QueryUrl = None,
    token: Annotated[str | None, typer.Option(help="Or ORDERFLOW_TOKEN; needs customers:erase, orders:manage.")] = None,
    dsn: Dsn = None,
) -> None:
    """Forget a customer of whom every order has ended, and write a certificate of what was checked.

    Asked again, it finishes what was begun. Ends with 1 when a value of a contact can still be read somewhere.
    """
    from infra.commands.failure import FAILED, Failure

    if not yes:
        typer.confirm(f"Forget customer {customer_id} for ever?", abort=True)
    file = certificate or Path(f"erasure-{customer_id}.json")
    place = {"ready_file": ready_file, "write_url": write_url, "query_url": query_url, "token": token}
    done = _erased(customer_id, reason, place, dsn)
    try:
        file.write_text(done.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise Failure(f"Erased, but the certificate cannot be written to {file}: {error.strerror}.", FAILED) from error
    _tell(done, file)


def _erased(
    customer_id: UUID,
    reason: Literal["customer_request", "retention_ended", "legal_order"],
    place: dict[str, Path | str | None],
    dsn: str | None,
) -> "Certificate":
    from infra.client import Api
    from infra.commands.ask import ask
    from infra.commands.failure import Failure
    from infra.commands.platform_database import opened, operator, settings_of
    from infra.commands.where import Place, ready_of
    from infra.erasure import CannotErase
    from infra.erasure import erase as carry_out
    from infra.settings import Settings

    where = Place(**place)  # type: ignore[arg-type]  # one for each option
    ready = None if where.write_url else ready_of(where.ready_file, Settings())
    settings = settings_of(dsn or (ready.postgres_dsn if ready else None), None)

    async def conversation(api: Api) -> "Certificate":
        async with opened(settings) as pool:
            mail_url = ready.mail_url if ready else None
            return await carry_out(api, pool, customer_id, reason=reason, asked_by=operator(), mail_url=mail_url)

    try:
        return ask(where, conversation)
    except CannotErase as cannot:
        raise Failure(str(cannot)) from cannot


def _tell(done: "Certificate", file: Path) -> None:
    for each in done.checked:
        found = f"{each.readable} still readable" if each.readable else "nothing readable"
        typer.secho(f"{each.place}: {each.looked_at} looked at, {found}", fg="red" if each.readable else None)
    orders = "1 order" if len(done.orders) == 1 else f"{len(done.orders)} orders"
    typer.echo(f"Customer {done.customer_id} is forgotten in {orders}. Certificate: {file}")
    if not done.values_searched:
        typer.echo("No value was searched for: there were no contacts that could still be read.")
    if not done.is_complete:
        places = ", ".join(each.place for each in done.checked if each.readable)
        typer.secho(
            f"Something can still be read in: {places}. Orders from before contacts were sealed hold them in clear for "
            "ever, and so do the reasons of auditors; parked messages go with `orderflow dlq discard`.",
            fg="red",
            err=True,
        )
        raise typer.Exit(1)
