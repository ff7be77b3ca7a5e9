"""Questions about an instant, which are asked until what it was then has been computed."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from infra.client import Api, Json

AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="INSTANT", help="As it was then: 2026-03-02T12:00:00Z.", show_default=False),
]
_PAUSE_SECONDS: Final = 0.2
"""The API has waited by itself."""


async def get_as_of(api: "Api", path: str, as_of: str | None, **params: str | int | None) -> "Json":
    """Ask about now or then; says on stderr how far it is."""
    from rich.console import Console

    from infra.client import BEING_COMPUTED, Refused

    with Console(stderr=True).status("Asking") as shown:
        while True:
            try:
                return await api.get(path, as_of=as_of, **params)
            except Refused as refused:
                if refused.kind != BEING_COMPUTED:
                    raise
                shown.update(refused.detail)
                await asyncio.sleep(_PAUSE_SECONDS)
