"""At-least-once feed in, exactly-once effect out."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import AsyncConnection

from infra.event_log import Stored
from schemas.base import Category

if TYPE_CHECKING:
    from infra.runtime import Runtime

Apply = Callable[[AsyncConnection[Any], Sequence[Stored]], Awaitable[None]]


@dataclass(frozen=True)
class Subscription:
    """`apply` is given each event of the categories exactly once, per stream in version order, in one transaction
    with the guard that remembers it. It must not commit. Not durable: rows may be lost in a crash together with the
    guard and are then applied again."""

    name: str
    categories: frozenset[Category]
    apply: Apply
    durable: bool = False


async def follow(runtime: "Runtime", subscription: Subscription) -> None:
    """Run until cancelled; reconnects by itself."""
    raise NotImplementedError
