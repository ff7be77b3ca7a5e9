"""The projections process: read models and live figures follow the events."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.asyncio import Redis

from infra.event_log import EventLog
from infra.runtime import Runtime
from infra.stopping import stop
from infra.subscription import Subscription
from infra.tenant_keys import TenantKeys
from infra.vault import Vault
from projections.live import LiveFigures
from projections.order_detail import ORDER_DETAILS
from projections.order_summary import ORDER_SUMMARIES
from projections.order_timeline import ORDER_TIMELINE
from projections.product_view import PRODUCTS
from projections.projector import fill
from projections.read_model import ReadModel
from projections.sales import SALES_HOURS, SALES_PRODUCTS
from projections.stock_level import STOCK_LEVELS

READ_MODELS: Final[tuple[ReadModel[Any], ...]] = (
    ORDER_SUMMARIES,
    ORDER_DETAILS,
    ORDER_TIMELINE,
    STOCK_LEVELS,
    PRODUCTS,
    SALES_HOURS,
    SALES_PRODUCTS,
)


def order_views(vault: Vault | None) -> Subscription:
    """Fill the views of orders. With a vault, an order is also found by the name and the e-mail in its contact."""
    models = (ORDER_SUMMARIES, ORDER_DETAILS, ORDER_TIMELINE)
    return fill("order_views", *models, pace=0.005, rest=0.3, prepare=vault.findable if vault else None)


SHOP_FIGURES: Final = fill("shop_figures", STOCK_LEVELS, PRODUCTS, SALES_HOURS, SALES_PRODUCTS, pace=0.1, rest=4)
"""Apart from the views of orders, so that neither an order nor a figure waits for a fault in the other;
`schemas.views.FED_BY` names them."""


def subscriptions(redis: Redis, log: EventLog, vault: Vault) -> tuple[Subscription, ...]:
    """Give all that the process follows: what fills tables, and the live figures, which wait for Redis alone."""
    return (order_views(vault), SHOP_FIGURES, LiveFigures(redis, log).subscription())


@asynccontextmanager
async def service(runtime: Runtime) -> AsyncIterator[Mapping[str, str]]:
    """Subscribe, and look for drift; a read model that lags says so in its position. Serves nothing itself."""
    vault = Vault(runtime.pool, runtime.signals, TenantKeys.of_settings(runtime.settings))
    for subscription in subscriptions(runtime.redis, runtime.log, vault):
        runtime.subscriptions.subscribe(subscription)
    watching = []
    if every := runtime.settings.drift_every:
        from projections.versions.watching import Watch  # noqa: PLC0415  # which needs the read models above

        watch = Watch(runtime.pool, runtime.redis, vault).keep(every)
        watching.append(runtime.tasks.create_task(watch, name="drift"))
    try:
        yield {}
    finally:
        await stop(watching)
