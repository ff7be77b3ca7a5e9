"""`orderflow doctor`."""

from pathlib import Path
from typing import Annotated

import typer

from infra.commands.options import ReadyFile
from infra.commands.output import AsJson, wants_json, write_json, write_table


def doctor(
    *,
    data: Annotated[Path | None, typer.Option(help="A data folder to look at.")] = None,
    ready_file: ReadyFile = None,
    as_json: AsJson = None,
) -> None:
    """Look for what keeps a platform from starting or keeping up. Ends with 1 when something is wrong."""
    from infra.commands.where import ready_of
    from infra.diagnosis import findings
    from infra.settings import Settings

    settings = Settings()
    found = findings(settings, ready_of(ready_file, settings), data or settings.data_dir)
    if wants_json(as_json):
        for finding in found:
            write_json(finding._asdict())
    else:
        rows = [(finding.state, finding.subject, finding.seen, finding.remedy) for finding in found]
        write_table("", ("", "what", "seen", "what to do"), rows)
    raise typer.Exit(any(finding.state == "wrong" for finding in found))
