"""The state of a stream at earlier points, folded by the domain's own `evolve`: what decisions were made on."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel

from domain.order.state import evolve as evolve_order
from domain.payment.state import evolve as evolve_payment
from domain.product.state import evolve as evolve_product
from domain.stock.state import evolve as evolve_stock
from schemas.base import Category
from schemas.recorded import Recorded

EVOLVE: Final[Mapping[Category, Callable[[Any, Any], Any]]] = {
    "order": evolve_order,
    "payment": evolve_payment,
    "product": evolve_product,
    "stock": evolve_stock,
}


class VersionNotReached(Exception):  # noqa: N818  # a state of the world
    """The stream has fewer versions."""


class NotYetBegun(Exception):  # noqa: N818  # a state of the world
    """The instant is before the first event of the stream."""


@dataclass(frozen=True, slots=True)
class Point:
    """After a version, or at an instant; without either, now."""

    version: int | None = None
    instant: datetime | None = None

    def is_before(self, recorded: Recorded) -> bool:
        """Tell whether the event, and so all that follow it, came later. Order in the stream outweighs clocks."""
        if self.version is not None:
            return recorded.version > self.version
        return self.instant is not None and recorded.occurred_at > self.instant


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A stream after the event `last`."""

    state: Any
    last: Recorded
    position: int


class Walk:
    """Goes along one stream, once, and keeps what it was at some points."""

    def __init__(self, points: Sequence[Point]) -> None:
        self._points = points
        self._kept: dict[Point, Snapshot | None] = {}
        self.first: Recorded | None = None
        self.here: Snapshot | None = None

    @property
    def done(self) -> bool:
        """Nothing that follows can matter."""
        return len(self._kept) == len(set(self._points))

    def on(self, events: Iterable[tuple[int, Recorded]]) -> None:
        """Take the next events of the stream, each with its position in the log."""
        for position, recorded in events:
            self.first = self.first or recorded
            for point in self._points:
                if point.is_before(recorded):
                    self._kept.setdefault(point, self.here)
            if self.done:
                return
            state = EVOLVE[recorded.category](self.here.state if self.here else None, recorded.event)
            self.here = Snapshot(state, recorded, position)

    def found(self) -> list[Snapshot]:
        """Give the stream at each point. Raises VersionNotReached or NotYetBegun."""
        return [self._at(point) for point in self._points]

    def _at(self, point: Point) -> Snapshot:
        snapshot = self._kept.get(point, self.here)
        if snapshot is None:
            raise NotYetBegun
        if point.version is not None and snapshot.last.version < point.version:
            raise VersionNotReached
        return snapshot


def plain(value: Any) -> Any:  # noqa: ANN401  # a state is of any of the domain's types
    """Give a state as JSON has it; sets in order, so that the same state always looks the same."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, frozenset):
        return sorted(map(plain, value))
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)
