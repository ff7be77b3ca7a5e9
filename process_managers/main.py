"""The services that fulfil orders: the process with its timer, and the two workers.

A worker's imports are its own, because each may run in a process of its own.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from infra.runtime import NotStarted, Runtime
from infra.settings import Settings
from infra.stopping import stop
from process_managers.deadlines import keep_time
from process_managers.order_fulfilment import Deadlines
from process_managers.runner import subscription

_PAYMENTS_AT_ONCE: Final = 32
_MAILS_AT_ONCE: Final = 8


@asynccontextmanager
async def processes(runtime: Runtime) -> AsyncIterator[Mapping[str, str]]:
    """Subscribe the process and keep its deadlines until the block ends."""
    deadlines = deadlines_of(runtime.settings)
    runtime.subscriptions.subscribe(subscription(deadlines, _now))
    timer = keep_time(runtime.pool, deadlines, _now, grace=runtime.settings.deadline_grace)
    keeping = runtime.tasks.create_task(timer, name="deadlines")
    try:
        yield {}
    finally:
        await stop([keeping])


@asynccontextmanager
async def payment_worker(runtime: Runtime) -> AsyncIterator[Mapping[str, str]]:
    """Consume payment commands; raises NotStarted without `acquirer_url`."""
    if not runtime.settings.acquirer_url:
        raise NotStarted("Payments need an acquirer: set ORDERFLOW_ACQUIRER_URL.")
    from infra.acquirer import HttpAcquirer  # noqa: PLC0415  # see above
    from process_managers.reconciling import keep_reconciling  # noqa: PLC0415
    from process_managers.workers.payment import PaymentWorker  # noqa: PLC0415

    async with HttpAcquirer(runtime.settings.acquirer_url) as acquirer:
        worker = PaymentWorker(runtime.pool, acquirer, now=_now)
        runtime.bus.consume("payments.work", worker.handle, concurrency=_PAYMENTS_AT_ONCE)
        every = runtime.settings.reconcile_every
        tasks = []
        if every:
            dsn = runtime.settings.postgres_dsn.get_secret_value()
            reconciling = keep_reconciling(dsn, runtime.pool, acquirer, _now, every=every)
            tasks.append(runtime.tasks.create_task(reconciling, name="reconciliation"))
        try:
            yield {}
        finally:
            await stop(tasks)


@asynccontextmanager
async def notification_worker(runtime: Runtime) -> AsyncIterator[Mapping[str, str]]:
    """Consume the commands to tell customers."""
    from infra.smtp import Smtp  # noqa: PLC0415  # see above
    from infra.tenant_keys import TenantKeys  # noqa: PLC0415
    from infra.vault import Vault  # noqa: PLC0415
    from process_managers.workers.notification import NotificationWorker  # noqa: PLC0415

    settings = runtime.settings
    password = settings.smtp_password.get_secret_value() if settings.smtp_password else None
    smtp = Smtp(settings.smtp_host, settings.smtp_port, settings.smtp_user, password, settings.smtp_tls)
    vault = Vault(runtime.pool, runtime.signals, TenantKeys.of_settings(settings))
    worker = NotificationWorker(runtime.pool, runtime.log, vault, smtp, sender=settings.mail_from)
    runtime.bus.consume("notifications.work", worker.handle, concurrency=_MAILS_AT_ONCE)
    yield {}


def _now() -> datetime:
    return datetime.now(UTC)


def deadlines_of(settings: Settings) -> Deadlines:
    """Read the deadlines of the process from the settings."""
    return Deadlines(
        stock=timedelta(seconds=settings.stock_deadline),
        payment=timedelta(seconds=settings.payment_deadline),
        shipment=timedelta(seconds=settings.shipment_deadline),
        delivery=timedelta(seconds=settings.delivery_deadline),
        capture=timedelta(seconds=settings.capture_deadline),
        compensation=timedelta(seconds=settings.compensation_deadline),
    )
