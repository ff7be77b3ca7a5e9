"""Shows what an event would change in the read models, for whoever tries a dead letter again."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis

from infra.consumers import EventConsumer, Rows
from infra.event_log import EventLog, Stored
from infra.settings import Settings
from infra.subscription import Subscription
from projections.live import LiveFigures
from projections.main import READ_MODELS, SHOP_FIGURES
from projections.main import order_views as order_views_of
from projections.projector import Projector
from schemas.views import FED_BY


@asynccontextmanager
async def order_views(
    settings: Settings, pool: AsyncConnectionPool[AsyncConnection[Any]]
) -> AsyncIterator[EventConsumer]:
    del settings, pool
    yield _consumer(order_views_of(None))


@asynccontextmanager
async def shop_figures(
    settings: Settings, pool: AsyncConnectionPool[AsyncConnection[Any]]
) -> AsyncIterator[EventConsumer]:
    del settings, pool
    yield _consumer(SHOP_FIGURES)


@asynccontextmanager
async def live_figures(
    settings: Settings, pool: AsyncConnectionPool[AsyncConnection[Any]]
) -> AsyncIterator[EventConsumer]:
    async with Redis.from_url(settings.redis_url.get_secret_value()) as redis:
        yield EventConsumer(LiveFigures(redis, EventLog(pool)).subscription(), _nothing, undoable=False)


async def _nothing(connection: AsyncConnection[Any], batch: Sequence[Stored]) -> Rows:
    del connection, batch
    return {}


def _consumer(subscription: Subscription) -> EventConsumer:
    projector = Projector(*(model for model in READ_MODELS if FED_BY[model.name] == subscription.name))
    return EventConsumer(subscription, projector.rows)
