"""Publishes what the topics lack, out of its place and marked so; never what they have."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any, Final

import psycopg

from infra.event_log import COLUMNS, Stored
from infra.kafka.audience import EVERYBODY, Audience
from infra.kafka.pages import Page, Press
from infra.kafka.poison import Aside
from infra.kafka.producer import TransactionalProducer
from infra.kafka.records import REPAIRED
from infra.kafka.tails import describe
from infra.settings import Settings

_PAGE: Final = 1_000
_STORED: Final = COLUMNS + "WHERE notification_id = ANY(%s) ORDER BY notification_id"


@dataclass(slots=True)
class Repaired:
    published: int = 0
    impossible: int = 0
    """Events that no topic takes, and later ones of their streams."""


def repair(
    settings: Settings,
    connection: psycopg.Connection[tuple[Any, ...]],
    missing: Sequence[int],
    audience: Audience = EVERYBODY,
) -> Repaired:
    """Publish the events at these positions, in commit order, a page in a transaction; raises Interrupted.

    The producer has a transactional id of its own, so the relay goes on; a second repair ends the first.
    """
    named = audience.topics(settings.topic_prefix)
    topics = describe(settings, named.values())
    press, done = Press(named, topics.most_bytes, audience), Repaired()
    name = f"{settings.topic_prefix}.repair" + (f".{audience.consumer}" if audience.consumer else "")
    producer = TransactionalProducer(settings, name, most_bytes=topics.most_bytes, give_up=Event())
    try:
        producer.open()
        for start in range(0, len(missing), _PAGE):
            rows = connection.execute(_STORED, (list(missing[start : start + _PAGE]),), binary=True).fetchall()
            page = Page(0)
            press.fill(page, [Stored(*row) for row in rows], Aside(), mark=[(REPAIRED, b"1")])
            if page.records:
                producer.send(page.records)
                producer.commit()
            done.published += len(page.records)
            done.impossible += len(page.poison) + len(page.held)
    finally:
        producer.close()
    return done
