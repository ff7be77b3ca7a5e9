"""Runs one conversation with a platform, and tells how it failed."""

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import typer

    from infra.client import Api
    from infra.commands.where import Place

T = TypeVar("T")


def ask_platform(context: "typer.Context", conversation: "Callable[[Api], Awaitable[T]]") -> "T":
    """Ask the platform that the options before the command name; raises Failure."""
    from infra.commands.where import Place

    return ask(Place(**context.obj), conversation)


def ask(place: "Place", conversation: "Callable[[Api], Awaitable[T]]") -> "T":
    """Give what the conversation gives; raises Failure."""
    import httpx

    from infra.client import SECONDS, Api, Refused, Unreachable
    from infra.commands.failure import REFUSED, UNREACHABLE, Failure
    from infra.settings import Settings

    known = place.complete(Settings())

    async def talk() -> T:
        async with httpx.AsyncClient(timeout=SECONDS) as http:
            return await conversation(Api(http, known.write_url or "", known.query_url or "", known.token or ""))

    try:
        return asyncio.run(talk())
    except Refused as refused:
        raise Failure(f"Refused: {refused}", REFUSED) from refused
    except Unreachable as unreachable:
        raise Failure(f"{unreachable}. `orderflow doctor` looks for the reason.", UNREACHABLE) from unreachable
