"""What the four aggregates have in common, so that one handler can load, fold and decide for any of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from schemas.base import Category
from schemas.events import Event

S = TypeVar("S")
C = TypeVar("C")
E = TypeVar("E", bound=Event)


class BrokenHistory(Exception):
    """A stream holds an event that cannot stand where it stands. Never a refusal: the log itself is wrong."""


def known(state: S | None) -> S:
    """Give the state that an earlier event of the stream must have made; raises BrokenHistory when none did."""
    if state is None:
        raise BrokenHistory("the stream does not begin with an event that starts one")
    return state


def fold(evolve: Callable[[S | None, E], S], events: Iterable[E], state: S | None = None) -> S | None:
    """Give the state after `events`, in stream order, starting from `state`. None: nothing has happened yet."""
    for event in events:
        state = evolve(state, event)
    return state


@dataclass(frozen=True, slots=True)
class Aggregate(Generic[S, C, E]):
    """`decide` gives the events that a command causes, none when it is already done, and raises DomainError.

    Both functions are pure: same state and command, same answer; nothing is read from a clock or made at random.
    """

    category: Category
    evolve: Callable[[S | None, E], S]
    decide: Callable[[S | None, C], list[E]]

    def fold(self, events: Iterable[Event], state: S | None = None) -> S | None:
        """Fold the events of one stream of this category."""
        return fold(self.evolve, cast("Iterable[E]", events), state)
