"""From rows of the log to records for Kafka; what cannot become one is told apart."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from infra.event_log import Stored
from infra.kafka.audience import DOWNCAST, EVERYBODY, Audience
from infra.kafka.poison import Aside
from infra.kafka.producer import Record
from infra.kafka.records import BadRecord, headers_of, key_of
from schemas.base import Category

Header = tuple[str, bytes]


@dataclass(slots=True)
class Page:
    """Is sent at once."""

    after: int
    """Position that is reached with it."""
    records: list[Record] = field(default_factory=list)
    newest: dict[Category, int] = field(default_factory=dict)
    """Per category, position of its newest event in here."""
    released: list[int] = field(default_factory=list)
    """Positions of what a person had the relay try again."""
    poison: list[tuple[Stored, str]] = field(default_factory=list)
    held: list[Stored] = field(default_factory=list)
    """Events that wait for a poisonous one of their stream."""


@dataclass(frozen=True, slots=True)
class Press:
    """Makes pages for the topics as they are now."""

    topics: Mapping[Category, str]
    most_bytes: int
    audience: Audience = EVERYBODY

    def fill(self, page: Page, rows: Iterable[Stored], aside: Aside, *, mark: Sequence[Header] = ()) -> None:
        """Put rows on a page, in their order; `mark` is added to their headers."""
        held: dict[UUID, int] = dict(aside.streams)
        for stored in rows:
            category = stored.category
            if (stored.stream_id, stored.version) in aside.discarded:
                continue
            if stored.version >= held.get(stored.stream_id, stored.version + 1):
                page.held.append(stored)
                continue
            try:
                page.records.append(self._record(stored, category, mark))
            except BadRecord as bad:
                page.poison.append((stored, str(bad)))
                held[stored.stream_id] = stored.version
            else:
                page.newest[category] = stored.position

    def _record(self, stored: Stored, category: Category, mark: Sequence[Header]) -> Record:
        if stored.topic in self.audience.steps:
            mark = [*mark, (DOWNCAST, stored.topic.encode())]
            stored = self.audience.cast(stored)
        key = key_of(stored)
        headers = headers_of(stored, key)
        if mark:
            headers += mark
        if (size := len(stored.state)) > self.most_bytes:
            raise BadRecord(f"with {size} bytes it is larger than its topic takes")
        return Record(self.topics[category], stored.state, key, headers)
