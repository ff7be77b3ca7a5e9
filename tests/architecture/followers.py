"""Who reads which events, asked from the services themselves, without any of what they connect to."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Final

from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis

from infra.event_log import EventLog
from infra.settings import Settings
from infra.subscription import Subscription
from process_managers import runner
from process_managers.fulfilment_facts import order_of
from process_managers.main import deadlines_of
from process_managers.process_store import PROCESS
from projections import live
from projections import main as projections
from projections.live_change import change_of
from schemas.base import Category
from schemas.recorded import Recorded
from tests.examples import EVENTS, cancelled, recorded
from tests.vault import unconnected

_EXAMPLES: Final = tuple(recorded(event) for event in (cancelled(confirmed=True), *EVENTS))
"""Figures take a cancelled order back when it had been confirmed, and leave the others alone."""


@cache
def subscriptions() -> Mapping[str, tuple[Subscription, ...]]:
    """Give what each process of a cluster subscribes to."""
    log = EventLog(AsyncConnectionPool("", open=False))
    process = runner.subscription(deadlines_of(Settings()), lambda: datetime.now(UTC))
    return {"projector": projections.subscriptions(Redis(), log, unconnected()), "processes": (process,)}


def followers() -> Mapping[str, frozenset[Category]]:
    """Give the categories that each process follows."""
    return {
        role: frozenset[Category]().union(*(subscription.categories for subscription in subscribed))
        for role, subscribed in subscriptions().items()
    }


def readers(name: str) -> list[str]:
    """Give the read models and the rest that an event of this wire name changes."""
    told = [reader for example in _EXAMPLES if example.event.type == name for reader in _readers(example)]
    return list(dict.fromkeys(told))


def _readers(event: Recorded) -> list[str]:
    models = [
        model.name for model in projections.READ_MODELS if event.category in model.categories and model.keys(event)
    ]
    figures = [live.NAME] if change_of(event) else []
    process = [PROCESS] if order_of(event) else []
    return [*models, *figures, *process]
