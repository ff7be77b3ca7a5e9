"""What a started platform prints."""

import sys
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from infra.local.ready import Ready


def welcome(*, as_json: bool) -> Callable[[Ready, tuple[str, ...]], None]:
    """Give what tells a person, or a program, that everything is ready."""

    def tell(ready: Ready, avoided: tuple[str, ...]) -> None:
        console = Console(soft_wrap=True, highlight=False)
        if as_json:
            sys.stdout.write(ready.model_dump_json() + "\n")
        else:
            _show(console, ready, avoided)
        sys.stdout.flush()

    return tell


def _show(console: Console, ready: Ready, avoided: tuple[str, ...]) -> None:
    table = Table(title="OrderFlow is ready", title_justify="left", show_header=False)
    for name, url in (
        ("page", f"{ready.query_url}/"),
        ("query API", f"{ready.query_url}/openapi.json"),
        ("write API", f"{ready.write_url}/openapi.json"),
        ("mail", ready.mail_url),
        ("acquirer", ready.acquirer_url),
        ("data", str(ready.data_dir)),
    ):
        table.add_row(name, url)
    for sentence in avoided:
        console.print(sentence, style="yellow")
    console.print(table)
    console.print("\n[bold]A token for everything, valid for 12 hours:[/bold]")
    console.print(ready.token, markup=False)
    console.print("\n[bold]Place an order:[/bold]")
    console.print(ready.curl, markup=False)
    console.print("\nThen look at the page, or run [bold]orderflow order list[/bold]. Ctrl-C stops everything.")
