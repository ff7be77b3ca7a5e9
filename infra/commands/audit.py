"""`orderflow audit`: prove that the log was not touched, to oneself and to others; see what auditors looked at."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from infra.commands.options import Data, Dsn, QueryUrl, ReadyFile
from infra.commands.output import AsJson, wants_json, write_json, write_table

audit = typer.Typer(help="Prove that the event log was not touched, and see who looked.", no_args_is_help=True)

Token = Annotated[str | None, typer.Option(help="Or ORDERFLOW_TOKEN; needs audit:read or operations:read.")]


@audit.callback()
def group() -> None:
    """A group stays one, however few commands it has."""


@audit.command()
def key(*, dsn: Dsn = None, data: Data = None) -> None:
    """Print the log's public key, to be given to outsiders by another way than the evidence."""
    from infra.commands.audit_place import place_of
    from infra.commands.failure import Failure

    public = place_of(dsn, data).public_key()
    if public is None:
        raise Failure("No key is known here: set ORDERFLOW_LOG_KEY_FILE, or name a data folder with --data.")
    typer.echo(public)


@audit.command()
def new_key(
    file: Annotated[Path, typer.Argument(help="Where the private key is kept; the public one goes beside it.")],
    *,
    origin: Annotated[str, typer.Option(help="What the log is called, for ever: log.example.com/orders.")],
) -> None:
    """Make the key that signs a log, and print the public one. `up` makes its own."""
    from infra.audit.note import WrongKey, ensure_log_key
    from infra.commands.failure import Failure

    if file.exists():
        raise Failure(f"{file} is there already, and a log has one key for ever.")
    try:
        typer.echo(ensure_log_key(file, origin).public)
    except WrongKey as wrong:
        raise Failure(str(wrong)) from wrong
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}.") from error


@audit.command()
def checkpoint(*, dsn: Dsn = None, data: Data = None, as_json: AsJson = None) -> None:
    """Sign what the log holds now, and print the newest checkpoint: something to give away, and to compare with later.

    It needs the log's key: that of a platform on this machine, or ORDERFLOW_LOG_KEY_FILE.
    """
    from infra.commands.audit_place import place_of
    from infra.commands.audit_sign import sign

    made = sign(place_of(dsn, data))
    if wants_json(as_json):
        write_json(made.told())
    else:
        typer.echo(made.note)
        typer.echo(f"Kept in {made.file}", err=True)


@audit.command()
def verify(  # noqa: PLR0913  # one parameter an option
    *,
    since: Annotated[
        str | None,
        typer.Option(metavar="CHECKPOINT", help="Only what came after it: a checkpoint file, or its number of events."),
    ] = None,
    held: Annotated[
        list[Path] | None,
        typer.Option("--checkpoint", help="A checkpoint that was given away, to compare with; may be repeated."),
    ] = None,
    key: Annotated[str | None, typer.Option(help="The log's public key, or a file that holds it.")] = None,
    dsn: Dsn = None,
    data: Data = None,
    as_json: AsJson = None,
) -> None:
    """Find any edit, deletion, insertion, swap or truncation of the log, and name the first bad position.

    Ends with 1 when something was found. What came after the newest checkpoint is checked by its chains only.
    """
    from infra.commands.audit_place import place_of
    from infra.commands.audit_verify import Order, carry_out

    verified = carry_out(Order(place_of(dsn, data, key), since, tuple(held or ())))
    if wants_json(as_json):
        write_json(verified.told())
    else:
        for line in verified.lines():
            typer.echo(line)
    raise typer.Exit(0 if verified.well else 1)


@audit.command()
def export(  # noqa: PLR0913  # one parameter an option
    *,
    order: Annotated[UUID | None, typer.Option(help="An order, with its payment.")] = None,
    customer: Annotated[UUID | None, typer.Option(help="Every order of a customer.")] = None,
    first: Annotated[
        str | None, typer.Option("--from", help="Everything from a position, or an instant with its offset.")
    ] = None,
    last: Annotated[str | None, typer.Option("--until", help="Up to this one; without it, to the end.")] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(help="Prove with this one: a file or a number of events; by itself, the first that will do."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A folder or a .zip that is not there yet.")] = None,
    key: Annotated[str | None, typer.Option(help="The log's public key, or a file that holds it.")] = None,
    dsn: Dsn = None,
    data: Data = None,
    as_json: AsJson = None,
) -> None:
    """Write an evidence bundle: events, their schemas, and proofs that they are in the log as it was signed.

    Whoever gets it checks it with the verify_bundle.py in it, and with a public key that they have had before.
    What is personal is in it as it is stored, sealed.
    """
    from infra.commands.audit_export import Order, carry_out
    from infra.commands.audit_place import place_of

    exported = carry_out(Order(order, customer, first, last, checkpoint, out), place_of(dsn, data, key))
    if wants_json(as_json):
        write_json(exported.told())
    else:
        typer.echo(
            f"{exported.events:,} events of {exported.streams:,} streams are in {exported.out}, "
            f"proved by the checkpoint of {exported.checkpoint.size:,} events."
        )


@audit.command()
def looks(  # noqa: PLR0913  # one parameter an option
    *,
    subject: Annotated[str | None, typer.Option(help="Of the auditor whose token has it.")] = None,
    order: Annotated[UUID | None, typer.Option(help="At this order.")] = None,
    customer: Annotated[UUID | None, typer.Option(help="At this customer.")] = None,
    revealed: Annotated[
        bool | None, typer.Option("--revealed/--masked", help="Only those that were, or were not, shown contacts.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="From this instant on, such as 2026-03-02T12:00:00Z.")] = None,
    until: Annotated[str | None, typer.Option(help="Before this instant.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 20,
    cursor: Annotated[str | None, typer.Option(help="`next_cursor` of the page before.")] = None,
    ready_file: ReadyFile = None,
    query_url: QueryUrl = None,
    token: Token = None,
    as_json: AsJson = None,
) -> None:
    """List what auditors have looked at, and why, the newest first."""
    from infra.client import Api, Json
    from infra.commands.ask import ask
    from infra.commands.audit_looks import COLUMNS, PATH, row
    from infra.commands.where import Place

    asked = {
        "subject": subject,
        "order_id": str(order) if order else None,
        "customer_id": str(customer) if customer else None,
        "revealed": revealed,
        "since": since,
        "until": until,
        "limit": limit,
        "cursor": cursor,
    }

    async def conversation(api: Api) -> Json:
        return await api.get(PATH, **asked)

    page = ask(Place(ready_file=ready_file, query_url=query_url, token=token), conversation)
    if wants_json(as_json):
        write_json(page)
        return
    write_table("What auditors looked at", COLUMNS, map(row, page["items"]))
    if page["next_cursor"]:
        typer.echo(f"More: the same with --cursor {page['next_cursor']}")


@audit.command()
def verify_looks(
    *,
    held: Annotated[
        list[str] | None, typer.Option(metavar="HASH", help="That of a look that was kept elsewhere; may be repeated.")
    ] = None,
    ready_file: ReadyFile = None,
    query_url: QueryUrl = None,
    token: Token = None,
    as_json: AsJson = None,
) -> None:
    """Find any change to what auditors looked at, and name the first look that is not as it was recorded.

    Ends with 1 when something was found. That the newest were cut off, or all written anew, only a hash can tell that
    somebody has kept.
    """
    from infra.client import Api
    from infra.commands.ask import ask
    from infra.commands.audit_looks import Chain, verified
    from infra.commands.where import Place

    async def conversation(api: Api) -> Chain:
        return await verified(api, held or ())

    chain = ask(Place(ready_file=ready_file, query_url=query_url, token=token), conversation)
    if wants_json(as_json):
        write_json(chain.told())
    else:
        typer.echo(chain.line())
    raise typer.Exit(not chain.is_well)
