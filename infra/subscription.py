"""At-least-once feed in, exactly-once effect out."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from psycopg import AsyncConnection

from infra.event_log import Stored
from schemas.base import Category

Apply = Callable[[AsyncConnection[Any], Sequence[Stored]], Awaitable[None]]
Keep = Callable[[int], Awaitable[None]]


class Outage(Exception):  # noqa: N818  # a state of the world
    """What `apply` or `keep` needs is away: not the fault of an event, so it is tried again and nothing is parked."""


@dataclass(frozen=True)
class Subscription:
    """What is done with the events of some categories.

    `apply` gets each event once, per stream in version order, and writes through the connection that it is given, in
    the transaction that also remembers the event; it must not commit. When it raises, nothing of the batch has
    happened; what it does elsewhere may happen twice. An event that fails three times is parked in `dead_letters` with
    all later events of its stream, while other streams go on. A crash of the database may undo the newest batches,
    memory and effect together; they are then repeated.
    """

    name: str
    categories: frozenset[Category]
    apply: Apply
    rest: float = 0.0
    """How many times as long as a batch took to rest after it, at most 0.1 s; not while catching up."""
    pace: float = 0.0
    """Seconds between the beginnings of batches, at least. Fewer, larger batches cost less; a rest is ended at once."""
    keep: Keep | None = None
    """Told the position reached, outside any transaction, whenever it has grown and at least every second.

    For effects outside the database, which may get lost while nothing happens here.
    """


class Subscriptions(Protocol):
    """How the events reach the subscriptions of a process."""

    def subscribe(self, subscription: Subscription) -> None:
        """Name a subscription, before `run`."""

    async def run(self) -> None:
        """Apply events until cancelled, through outages; returns at once when there is no subscription.

        Each begins where it stopped, at first with the oldest event. Several processes may follow the same one.
        """
