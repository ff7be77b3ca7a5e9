"""Whom the relay publishes for: everybody, on the topics of the categories, and each consumer pinned to old forms.

A pinned consumer has topics of its own, `<prefix>.<category>.<consumer>`, with every event of the categories that its
pins are about. An event of a newer form is there in the form that it is pinned to; the others are as they are stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from pydantic import ValidationError

from infra.event_log import Stored
from infra.kafka.lease import Reached
from infra.kafka.records import CATEGORIES, BadRecord, topic_of
from infra.settings import Settings
from schemas.base import Category
from schemas.recorded import Recorded, encode
from schemas.upcasters import STEPS, Step
from schemas.wire import category_of

DOWNCAST: Final = "orderflow-downcast"
"""On a record whose event is stored in a newer form: which. Its `prev` is about the stored bytes."""


@dataclass(frozen=True, slots=True)
class Audience:
    consumer: str | None = None
    """None for everybody."""
    steps: Mapping[str, Step] = field(default_factory=dict)
    """By the wire name of the newer form."""

    @property
    def relay(self) -> str:
        """Name of its relay, among positions and leases."""
        return "kafka" if self.consumer is None else f"kafka.{self.consumer}"

    @property
    def letters(self) -> str:
        """Consumer that its dead letters name."""
        return "relay" if self.consumer is None else f"relay.{self.consumer}"

    @property
    def categories(self) -> tuple[Category, ...]:
        if self.consumer is None:
            return CATEGORIES
        return tuple(sorted({category_of(name) for name in self.steps}))

    def topics(self, prefix: str) -> dict[Category, str]:
        end = "" if self.consumer is None else f".{self.consumer}"
        return {category: f"{topic_of(prefix, category)}{end}" for category in self.categories}

    def remembered(self, reached: Reached) -> Reached:
        """Count a category that a pin has added since as published so far: its topic then lacks what it does not hold.

        Otherwise a relay that stops while it fills the topic would go on from `reached.position`.
        """
        if self.consumer is None:
            return reached
        return replace(reached, published=dict.fromkeys(self.categories, reached.position) | dict(reached.published))

    def cast(self, stored: Stored) -> Stored:
        """Give the event as the audience knows it; raises BadRecord when it cannot be read."""
        step = self.steps.get(stored.topic)
        if step is None:
            return stored
        try:
            recorded = stored.recorded
        except ValidationError as error:
            raise BadRecord("it cannot be read, and so not be told in an older form") from error
        older = Recorded.model_construct(**{**dict(recorded), "event": step.downcast(recorded.event)})
        return stored._replace(topic=older.event.type, state=encode(older))


EVERYBODY: Final = Audience()


def pinned(settings: Settings) -> list[Audience]:
    """Give an audience for each pinned consumer."""
    return [
        Audience(consumer, {STEPS[name].successor: STEPS[name] for name in forms})
        for consumer, forms in settings.pinned.items()
    ]
