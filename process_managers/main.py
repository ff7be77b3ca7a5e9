"""Runs the fulfilment of orders: the process over the feed, its timer, and the two workers."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from infra.acquirer import HttpAcquirer
from infra.runtime import Runtime
from infra.settings import Settings
from infra.smtp import Smtp
from infra.stopping import stop
from infra.subscription import follow
from process_managers.deadlines import keep_time
from process_managers.order_fulfilment import Deadlines
from process_managers.runner import subscription
from process_managers.workers.notification import NotificationWorker
from process_managers.workers.payment import PaymentWorker

_PAYMENTS_AT_ONCE: Final = 32
_MAILS_AT_ONCE: Final = 8


@asynccontextmanager
async def service(runtime: Runtime) -> AsyncIterator[Mapping[str, str]]:
    """Run until the block ends. Register it before `runtime.bus` runs; raises ValueError without `acquirer_url`."""
    settings = runtime.settings
    if not settings.acquirer_url:
        raise ValueError("Payments need an acquirer: set ORDERFLOW_ACQUIRER_URL.")
    deadlines = _deadlines(settings)
    async with HttpAcquirer(settings.acquirer_url) as acquirer:
        payments = PaymentWorker(runtime.pool, acquirer, now=_now)
        smtp = Smtp(settings.smtp_host, settings.smtp_port)
        mails = NotificationWorker(runtime.pool, runtime.log, smtp, sender=settings.mail_from)
        runtime.bus.consume("payments.work", payments.handle, concurrency=_PAYMENTS_AT_ONCE)
        runtime.bus.consume("notifications.work", mails.handle, concurrency=_MAILS_AT_ONCE)
        background = [
            runtime.tasks.create_task(follow(runtime, subscription(deadlines, _now)), name="order_fulfilment"),
            runtime.tasks.create_task(
                keep_time(runtime.pool, deadlines, _now, grace=settings.deadline_grace), name="deadlines"
            ),
        ]
        try:
            yield {}
        finally:
            await stop(background)


def _now() -> datetime:
    return datetime.now(UTC)


def _deadlines(settings: Settings) -> Deadlines:
    return Deadlines(
        stock=timedelta(seconds=settings.stock_deadline),
        payment=timedelta(seconds=settings.payment_deadline),
        shipment=timedelta(seconds=settings.shipment_deadline),
        delivery=timedelta(seconds=settings.delivery_deadline),
        capture=timedelta(seconds=settings.capture_deadline),
        compensation=timedelta(seconds=settings.compensation_deadline),
    )
