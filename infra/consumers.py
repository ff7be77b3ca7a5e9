"""Who applies events and carries out commands, found by name, so that what failed can be tried again by hand."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Final, Literal, Protocol

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from infra.event_log import Stored
from infra.settings import Settings
from infra.subscription import Subscription
from schemas.commands import Sent

GROUP: Final = "orderflow.consumers"
"""Entry points, each named as its dead letters name the consumer."""

Outcome = Literal["succeed", "no_op", "conflict", "fail", "blocked", "unknown"]
Rows = Mapping[str, Mapping[str, object]]
"""What a table holds, by the name of the row and then of the column."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What would become of a message if it were tried again now."""

    outcome: Outcome
    says: str
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventConsumer:
    subscription: Subscription
    look: Callable[[AsyncConnection[Any], Sequence[Stored]], Awaitable[Rows]]
    """Reads what some events touch, before and after they are applied, so that a rehearsal can tell what changes."""
    undoable: bool = True
    """A rollback undoes all of it, so that it can be rehearsed."""


@dataclass(frozen=True, slots=True)
class CommandConsumer:
    rehearse: Callable[[Sent], Awaitable[Forecast]]
    """Says what would happen; does nothing."""


Consumer = EventConsumer | CommandConsumer


class Opens(Protocol):
    """What an entry point of the group names."""

    def __call__(
        self, settings: Settings, pool: AsyncConnectionPool[AsyncConnection[Any]]
    ) -> AbstractAsyncContextManager[Consumer]:
        """Give the consumer as long as the block lasts; raises Unavailable."""


class Unavailable(Exception):  # noqa: N818  # a state of the world
    """This cannot be tried here and now; says why."""


def opener(name: str) -> Opens:
    """Find a consumer by the name that its dead letters carry; raises Unavailable."""
    for entry in entry_points(group=GROUP, name=name):
        opens: Opens = entry.load()
        return opens
    raise Unavailable(f"This OrderFlow has no consumer called {name}.")


def differences(before: Rows, after: Rows) -> tuple[str, ...]:
    """Say which rows and columns differ, without their values, which may be personal."""
    said = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old is None:
            said.append(f"adds {name}")
        elif new is None:
            said.append(f"removes {name}")
        elif columns := [column for column in new if new[column] != old.get(column)]:
            said.append(f"changes {name}: {', '.join(columns)}")
    return tuple(said)
