"""The command `orderflow`: loads the commands of every package by name, so it imports none of them itself."""

import os
import sys
from importlib.metadata import entry_points
from typing import Final

import typer

from infra.commands.failure import Failure

WRONG_USAGE: Final = 2


def app() -> typer.Typer:
    """Gather the entry points of the group `orderflow.commands`: one function is a command, an app is a group.

    Only the command that was asked for is imported, if there is one of that name.
    """
    commands = typer.Typer(
        help="An event-sourced order platform, on one machine or on many. Start with `orderflow up`.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused by the platform, 4 no platform reached.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    known = entry_points(group="orderflow.commands")
    for entry in known.select(name=sys.argv[1] if len(sys.argv) > 1 else "") or known:
        loaded = entry.load()
        if isinstance(loaded, typer.Typer):
            commands.add_typer(loaded, name=entry.name)
        else:
            commands.command(entry.name)(loaded)
    commands.callback()(_nothing_before_a_command)
    return commands


def _nothing_before_a_command() -> None:
    """With it, a single command is called by its name as well."""


def main() -> None:
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # with it, gRPC remarks on stderr on each process we start
    try:
        app()()
    except Failure as failure:
        typer.secho(str(failure), fg=typer.colors.RED, err=True)
        sys.exit(failure.exit_code)
    except ValueError as error:
        sentence = _wrong_setting(error)
        if sentence is None:
            raise
        typer.secho(sentence, fg=typer.colors.RED, err=True)
        sys.exit(WRONG_USAGE)


def _wrong_setting(error: ValueError) -> str | None:
    """Say which variable is wrong, without its value: it may be a secret."""
    from pydantic import ValidationError  # noqa: PLC0415  # `--help` answers without it

    from infra.settings import Settings  # noqa: PLC0415  # the same

    if not isinstance(error, ValidationError) or error.title != Settings.__name__:
        return None
    first = error.errors(include_input=False)[0]
    return f"ORDERFLOW_{str(first['loc'][0]).upper()} is wrong: {first['msg'].removeprefix('Value error, ')}."


if __name__ == "__main__":
    main()
