"""`orderflow relay`: look after what the relay has put on Kafka."""

from typing import TYPE_CHECKING, Annotated

import typer

from infra.commands.options import Data, Dsn
from infra.commands.output import AsJson, wants_json, write_json

if TYPE_CHECKING:
    from infra.kafka.audit import Findings

relay = typer.Typer(help="Look after what the relay has put on Kafka.", no_args_is_help=True)


@relay.callback()
def group() -> None:
    """A group stays one, however few commands it has."""


@relay.command()
def audit(  # noqa: PLR0913  # one parameter an option
    *,
    first: Annotated[int, typer.Option("--from", min=1, help="The first position to compare.")] = 1,
    last: Annotated[
        int | None,
        typer.Option("--to", min=1, help="The last one; without it, how far the relay is.", show_default=False),
    ] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Publish what is missing, and nothing else.")] = False,
    dsn: Dsn = None,
    data: Data = None,
    kafka: Annotated[str | None, typer.Option(help="Kafka's brokers, as host:port separated by commas.")] = None,
    as_json: AsJson = None,
) -> None:
    """Compare the log with its topics: what is missing, duplicated, out of order in its stream, or not from the log.

    Ends with 1 when something was found and not repaired.
    """
    from infra.commands.relay_audit import Order, carry_out
    from infra.settings import Settings

    found = carry_out(Order(first, last, repair=repair, dsn=dsn, data=data, kafka=kafka), Settings())
    if wants_json(as_json):
        write_json(found.told())
    else:
        _tell(found.findings, first, found.last)
        for consumer, audited in found.pinned.items():
            typer.echo(f"\nFor {consumer}, which is pinned to older forms:")
            _tell(audited.findings, first, audited.last)
    raise typer.Exit(0 if found.well else 1)


def _tell(findings: "Findings", first: int, last: int) -> None:
    typer.echo(
        f"{findings.events:,} events at positions {first} to {last}, {findings.records:,} records on the topics, "
        f"{findings.parked:,} events parked."
    )
    for fault, count in findings.counts.items():
        typer.secho(f"{fault.replace('_', ' ')}: {count:,}", fg=typer.colors.RED)
        for example in findings.examples[fault]:
            typer.echo(f"  {example}")
        if count > len(findings.examples[fault]):
            typer.echo("  ...")
    if findings.repaired:
        typer.echo(f"Published what was missing: {findings.repaired:,} events.")
    if findings.clean:
        typer.echo("Every event is on its topic once, in order.")
