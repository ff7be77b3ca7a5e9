"""Decides recorded commands again: the same state and command must give the event that was recorded."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.aggregate import Aggregate, BrokenHistory
from domain.aggregates import AGGREGATES
from domain.asked import asked_for
from domain.errors import DomainError
from domain.order.state import Order
from infra.histories import Differs
from schemas.base import Category
from schemas.events import Event
from schemas.events.order import OrderCancelled, OrderCompleted
from schemas.recorded import Recorded


class AggregateJudge:
    """Keeps the state of every stream; of an order that has ended without its lines, which take the most room."""

    def __init__(self, aggregates: Mapping[Category, Aggregate[Any, Any, Any]] = AGGREGATES) -> None:
        self._aggregates = aggregates
        self._states: dict[UUID, Any] = {}
        self._broken: set[UUID] = set()

    def hear(self, position: int, recorded: Recorded) -> Iterator[Differs]:
        if recorded.stream_id in self._broken:
            return
        aggregate, event = self._aggregates[recorded.category], recorded.event
        state = self._states.get(recorded.stream_id)
        now = _decided(aggregate, state, event, recorded.stream_id)
        if now is not None:
            yield _differs(position, recorded, now)
        try:
            self._states[recorded.stream_id] = aggregate.evolve(state, event)
        except (BrokenHistory, LookupError):
            self._broken.add(recorded.stream_id)
            yield _differs(position, recorded, "an event that cannot stand here; the rest of its stream is left out")
            return
        if isinstance(event, OrderCancelled | OrderCompleted):
            ended: Order = self._states[recorded.stream_id]
            self._states[recorded.stream_id] = replace(ended, lines=())

    def end(self, settled_before: datetime) -> Iterable[Differs]:
        del settled_before
        return ()


def _decided(aggregate: Aggregate[Any, Any, Any], state: Any, event: Event, stream_id: UUID) -> str | None:  # noqa: ANN401  # a state is of any aggregate
    """Say what is decided now; None when it is what was recorded."""
    try:
        events: list[Event] = aggregate.decide(state, asked_for(event, stream_id))
    except DomainError as refusal:
        return f"refused: {refusal.code}"
    except (ValueError, LookupError) as broken:
        return f"broken: {type(broken).__name__}"
    if events == [event]:
        return None
    if [each.type for each in events] == [event.type]:
        changed = [name for name in type(event).model_fields if getattr(events[0], name) != getattr(event, name)]
        return f"{event.type} with other values of {', '.join(changed)}"
    return ", ".join(each.type for each in events) or "nothing"


def _differs(position: int, recorded: Recorded, now: str) -> Differs:
    return Differs(position, recorded.stream_id, recorded.version, recorded.category, recorded.event.type, now)
