"""What the commands of `orderflow projection` share."""

from typing import Annotated

import typer

projection = typer.Typer(
    help="Look after what is derived from the log: rebuild, compare, switch.", no_args_is_help=True
)

Names = Annotated[list[str] | None, typer.Argument(metavar="[PROJECTION]...", show_default=False, help="Or all.")]
Name = Annotated[list[str], typer.Argument(metavar="PROJECTION...", show_default=False, help="Or all.")]
