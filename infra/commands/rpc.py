"""`orderflow rpc`."""

import sys
from typing import Annotated

import typer

from infra.commands.options import ReadyFile
from infra.commands.output import write_json


def rpc(  # noqa: PLR0913  # each is an option
    method: Annotated[
        str | None,
        typer.Argument(help="Such as OrderCommandService/PlaceOrder; without it, all are listed.", show_default=False),
    ] = None,
    data: Annotated[
        str, typer.Argument(help="The request as JSON, one on each line where the method takes many; - reads them.")
    ] = "{}",
    *,
    key: Annotated[str | None, typer.Option(help="Idempotency key of a command; a new one without it.")] = None,
    target: Annotated[str | None, typer.Option(help="host:port; without it, that of the running platform.")] = None,
    token: Annotated[str | None, typer.Option(help="Or ORDERFLOW_TOKEN; without it, of the running platform.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="End a stream after so many answers.")] = None,
    ready_file: ReadyFile = None,
) -> None:
    """Call a method over gRPC, in the clear, and print what it answers as JSON."""
    from itertools import islice

    import grpc

    from infra.client import SECONDS
    from infra.commands.failure import REFUSED, UNREACHABLE, Failure
    from infra.commands.where import NOWHERE, Place, ready_of
    from infra.rpc.client import CallRefused, CallUnanswered, NoSuchMethod, call, find, is_command, methods, parsed
    from infra.settings import Settings
    from schemas.ids import new_id

    if method is None:
        for known in methods():
            typer.echo(f"{known.containing_service.full_name}/{known.name}")
        return
    try:
        found = find(method)
        requests = parsed(sys.stdin.read() if data == "-" else data)
    except NoSuchMethod:
        raise typer.BadParameter(f"There is no method {method}. `orderflow rpc` lists them.") from None
    except ValueError as wrong:
        raise typer.BadParameter(f"The request is not JSON: {wrong}") from None
    settings = Settings()
    given = Place(ready_file, token=token).with_settings(settings)
    ready = None if target and given.token else ready_of(ready_file, settings)
    if ready is None and not (target and given.token):
        raise Failure(NOWHERE, UNREACHABLE)
    place = target or (ready and (ready.write_grpc if is_command(found) else ready.query_grpc)) or ""
    metadata = [("authorization", f"Bearer {given.token or (ready and ready.token)}")]
    if is_command(found) and not found.client_streaming:
        metadata.append(("idempotency-key", key or str(new_id())))
    with grpc.insecure_channel(place) as channel:
        try:
            for answer in islice(call(channel, found, requests, metadata, SECONDS), limit):
                write_json(answer)
        except ValueError as wrong:
            raise typer.BadParameter(f"The request does not fit {found.input_type.name}: {wrong}") from None
        except CallRefused as refused:
            raise Failure(str(refused), UNREACHABLE if isinstance(refused, CallUnanswered) else REFUSED) from refused
