"""Which part of the log a command is about: positions or instants, given as `--from` and `--until`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from projections.versions.replay import Stretch

Where = int | datetime


def where(text: str) -> Where:
    """Read the value of an option."""
    if text.isdecimal():
        return int(text[:19])
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        said = f"{text!r} is neither a position nor an instant such as 2026-03-01T12:00Z"
        raise typer.BadParameter(said) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


async def stretch_of(connection: Any, first: Where | None, last: Where | None, tenant: str | None) -> "Stretch":  # noqa: ANN401  # imported late
    """Raises Failure when the log has no such part."""
    from infra.commands.failure import Failure
    from infra.instants import ends, position_at
    from projections.versions.replay import Stretch

    beginning, end = await ends(connection)
    for each in (first, last):
        if isinstance(each, int) and not beginning <= each <= end:
            raise Failure(f"The log has positions {beginning} to {end}, and not {each}.")
        if isinstance(each, datetime) and each > datetime.now(UTC):
            raise Failure(f"{each.isoformat()} has not come yet.")
    until = await position_at(connection, last) if isinstance(last, datetime) else last
    if until == 0:
        raise Failure("The log holds nothing that happened so early.")
    after = await position_at(connection, first, inclusive=False) if isinstance(first, datetime) else (first or 1) - 1
    if after >= (end if until is None else until):
        raise Failure("There is nothing between --from and --until.")
    return Stretch(after, end if until is None else until, tenant, open_ended=until is None)
