"""What `orderflow up` prints: tables and progress for people, or JSON lines for programs."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from infra.local.ready import Ready


@dataclass(frozen=True, slots=True)
class Screen:
    console: Console
    """Where sentences go: standard error when standard output is for programs."""
    as_json: bool

    @property
    def is_watched(self) -> bool:
        """Whether a person sees what changes in its place."""
        return self.console.is_terminal and not self.as_json

    def tell_ready(self, ready: Ready, avoided: tuple[str, ...]) -> None:
        for sentence in avoided:
            self.console.print(sentence, style="yellow")
        if self.as_json:
            sys.stdout.write(ready.model_dump_json() + "\n")
        else:
            self._show(ready)
        sys.stdout.flush()

    def _show(self, ready: Ready) -> None:
        table = Table(title="OrderFlow is ready", title_justify="left", show_header=False)
        for name, place in (
            ("page", f"{ready.query_url}/"),
            ("query API", f"{ready.query_url}/docs"),
            ("write API", f"{ready.write_url}/docs"),
            ("gRPC", f"{ready.write_grpc} for commands, {ready.query_grpc} for queries"),
            ("mail", f"{ready.mail_url}/"),
            ("acquirer", f"{ready.acquirer_url}/ledger"),
            ("data", str(ready.data_dir)),
        ):
            table.add_row(name, place)
        self.console.print(table)
        self.console.print("\n[bold]A token for everything, valid for 12 hours:[/bold]")
        self.console.print(ready.token, markup=False)
        self.console.print("\n[bold]Place an order:[/bold]")
        self.console.print(ready.curl, markup=False)
        self.console.print("\nThen look at the page, or at [bold]orderflow order list[/bold]. Ctrl-C stops everything.")

    def notice(self, sentence: str) -> None:
        self.console.print(sentence, style="yellow", markup=False)

    @contextmanager
    def progress(self, total: int) -> Iterator[Callable[[], None]]:
        """Give what counts one more order; only a terminal shows it."""
        columns = (TextColumn("Demo orders"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self.console, disable=not self.is_watched) as bar:
            task = bar.add_task("orders", total=total)
            yield lambda: bar.advance(task)

    def tell_outcomes(self, outcomes: Mapping[str, int]) -> None:
        ends = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in sorted(outcomes.items()))
        self.console.print(f"The demo is over: {ends}. The platform goes on; Ctrl-C stops it.")
        sys.stdout.flush()


def screen(*, as_json: bool) -> Screen:
    return Screen(Console(stderr=as_json, soft_wrap=True, highlight=False), as_json)
