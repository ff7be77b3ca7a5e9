"""`orderflow run`."""

from pathlib import Path
from typing import Annotated

import typer

from infra.roles import ROLES


def run(
    role: Annotated[str, typer.Argument(metavar="ROLE", help=f"One of {', '.join(ROLES)}.", show_default=False)],
    *,
    ready_file: Annotated[
        Path | None, typer.Option(help="Write role, process id and URLs as JSON, once it is ready.")
    ] = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines, also on a terminal.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens, not only what fails.")] = False,
) -> None:
    """Run one part of the cluster profile as a process of its own; SIGTERM or Ctrl-C stops it.

    It is told by ORDERFLOW_ variables where the servers are, and waits a minute for its database. An outage of a server
    later is survived. The database must be at the newest schema: `orderflow migrate` brings it there.
    """
    import logging

    from infra.local.failures import explained
    from infra.local.outside import OUTSIDE, outside
    from infra.logs import configure_logs
    from infra.process import run as process
    from infra.process import serving, tell
    from infra.settings import Settings

    level = logging.INFO if verbose else logging.WARNING
    configure_logs(as_json=log_json or None, level=level, role=role)
    settings = Settings(profile="cluster")
    if role in ROLES:
        part = serving(ROLES[role], settings)
    elif role in OUTSIDE:
        part = outside(role, settings)
    else:
        raise typer.BadParameter(f"There is no role {role}. There are: {', '.join(ROLES)}.")
    try:
        process(role, part, ready_file)
    except Exception as error:
        tell(explained(error), error)
        raise typer.Exit(1) from error
