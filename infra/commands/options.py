"""Options that many commands have: which platform they are for, or which database."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path | None, typer.Option(help="The data folder of a platform on this machine.")]
Dsn = Annotated[str | None, typer.Option(help="The database; without it, that of the running platform.")]
ReadyFile = Annotated[Path | None, typer.Option(help="What `orderflow up --ready-file` wrote.")]
QueryUrl = Annotated[str | None, typer.Option(help="Or ORDERFLOW_QUERY_URL.")]
WriteUrl = Annotated[str | None, typer.Option(help="Or ORDERFLOW_WRITE_URL.")]
Reveal = Annotated[bool, typer.Option("--reveal", help="Show personal fields too.")]
