"""`orderflow up`."""

from pathlib import Path
from typing import Annotated

import typer

from infra.commands.output import AsJson, wants_json

DEMO = "Demo"
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="0 takes a free one.", rich_help_panel="Ports")]


def up(  # noqa: PLR0913  # one parameter an option
    *,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Every part as a process of its own, over Kafka and RabbitMQ.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option(help="Keep everything in this folder; without it, nothing stays.")
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="Write where everything is as JSON, once it is ready.")
    ] = None,
    write_port: Port = None,
    query_port: Port = None,
    write_grpc_port: Port = None,
    query_grpc_port: Port = None,
    mail_port: Port = None,
    acquirer_port: Port = None,
    smtp_port: Port = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Fill a coffee shop and live some orders.", rich_help_panel=DEMO)
    ] = False,
    orders: Annotated[int, typer.Option(min=1, max=100_000, help="How many.", rich_help_panel=DEMO)] = 300,
    rate: Annotated[float, typer.Option(min=0.1, max=1_000, help="Orders a second.", rich_help_panel=DEMO)] = 5,
    seed: Annotated[int, typer.Option(help="The same seed gives the same orders.", rich_help_panel=DEMO)] = 7,
    as_json: AsJson = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines, also on a terminal.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens, not only what fails.")] = False,
) -> None:
    """Start the whole platform on this machine; Ctrl-C stops it."""
    import logging

    from infra.local.demo import Demo
    from infra.local.opening import Options
    from infra.local.screen import screen
    from infra.local.up import up as run
    from infra.logs import configure_logs
    from infra.settings import Settings

    configure_logs(as_json=log_json or None, level=logging.INFO if verbose else logging.WARNING)
    ports = {
        "write_port": write_port,
        "query_port": query_port,
        "write_grpc_port": write_grpc_port,
        "query_grpc_port": query_grpc_port,
        "mail_port": mail_port,
        "acquirer_port": acquirer_port,
        "smtp_port": smtp_port,
    }
    settings = Settings().model_copy(update={name: port for name, port in ports.items() if port is not None})
    played = Demo(orders=orders, rate=rate, seed=seed) if demo else None
    options = Options(
        data=data or settings.data_dir, ready_file=ready_file, demo=played, cluster=cluster, verbose=verbose
    )
    raise typer.Exit(run(settings, options, screen(as_json=wants_json(as_json))))
