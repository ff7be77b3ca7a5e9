"""The live figures of a tenant from Redis: whole or not at all, never an old total."""

import asyncio
from datetime import datetime
from typing import Final, get_args

from pydantic_core import from_json
from redis.asyncio import Redis
from redis.exceptions import RedisError

from infra.live_keys import GENERATION, RECENT, LiveKeys, last_minutes
from query_api.positions import ReadModelBehind
from schemas.views import Dashboard, MinuteCount, OrderStatus, RecentOrder, Revenue

_PATIENCE_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.05
STATUSES: Final[tuple[OrderStatus, ...]] = get_args(OrderStatus)


class FiguresAway(Exception):  # noqa: N818  # a state of the world, not a fault
    """Redis cannot be reached, or the figures are being counted anew."""


async def dashboard(redis: Redis, tenant_id: str, now: datetime) -> Dashboard:
    """Read every figure as of one moment, within a second; raises FiguresAway."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            generation = await redis.get(GENERATION)
            if generation is None:
                raise FiguresAway
            return await _read(redis, LiveKeys(_text(generation), tenant_id), now)
    except (RedisError, TimeoutError) as lost:
        raise FiguresAway from lost


async def dashboard_at(redis: Redis, tenant_id: str, now: datetime, position: int, *, within: float) -> Dashboard:
    """Read the figures once they hold everything up to `position`; raises FiguresAway, or ReadModelBehind in time."""
    patience = asyncio.get_running_loop().time() + within
    while (figures := await dashboard(redis, tenant_id, now)).position < position:
        if asyncio.get_running_loop().time() >= patience:
            raise ReadModelBehind
        await asyncio.sleep(_POLL_SECONDS)
    return figures


async def _read(redis: Redis, keys: LiveKeys, now: datetime) -> Dashboard:
    minutes = last_minutes(now)
    async with redis.pipeline(transaction=True) as pipeline:
        pipeline.get(keys.position)
        pipeline.hgetall(keys.statuses)
        pipeline.hgetall(keys.revenue(now))
        pipeline.mget([keys.minute(minute) for minute in minutes])
        pipeline.zrevrange(keys.recent, 0, RECENT - 1)
        pipeline.hgetall(keys.recent_summaries)
        pipeline.hgetall(keys.recent_statuses)
        position, statuses, revenue, counts, recent, summaries, order_statuses = await pipeline.execute()
    if position is None:
        raise FiguresAway
    return Dashboard(
        position=int(position),
        orders_per_minute=tuple(
            MinuteCount(minute=minute, orders=int(count or 0)) for minute, count in zip(minutes, counts, strict=True)
        ),
        orders_by_status={status: int(statuses.get(status.encode(), 0)) for status in STATUSES},
        revenue_today=tuple(
            Revenue(amount=int(amount), currency=currency.decode()) for currency, amount in sorted(revenue.items())
        ),
        recent_orders=tuple(
            _recent(summaries[order_id], order_statuses[order_id])
            for order_id in recent
            if order_id in summaries and order_id in order_statuses
        ),
    )


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()


def _recent(summary: bytes, status: bytes) -> RecentOrder:
    return RecentOrder.model_validate({**from_json(summary), "status": status.decode()})
