"""`orderflow status`."""

from typing import Annotated

import typer

from infra.commands.options import ReadyFile
from infra.commands.output import AsJson, wants_json


def status(
    *,
    ready_file: ReadyFile = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again every two seconds, until Ctrl-C.")] = False,
    as_json: AsJson = None,
) -> None:
    """Show processes, servers, lags and depths. Ends with 1 when a process or a server is away.

    Without a platform on this machine, the servers that ORDERFLOW_ variables name are looked at.
    """
    import asyncio
    from contextlib import suppress

    from infra.commands.failure import UNREACHABLE, Failure
    from infra.commands.where import NOWHERE, ready_of
    from infra.settings import Settings
    from infra.status.look import Looked, look, of_ready, of_settings
    from infra.status.tell import tell, tell_again

    settings = Settings()

    def where() -> Looked:
        ready = ready_of(ready_file, settings)
        if ready:
            return of_ready(ready)
        if "postgres_dsn" in settings.model_fields_set:
            return of_settings(settings)
        raise Failure(NOWHERE, UNREACHABLE)

    in_json = wants_json(as_json)
    if not watch:
        seen = asyncio.run(look(where()))
        tell(seen, as_json=in_json)
        raise typer.Exit(not seen.is_well)
    with suppress(KeyboardInterrupt):
        asyncio.run(tell_again(where, as_json=in_json))
