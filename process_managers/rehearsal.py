"""Shows what a dead letter would bring about in the process and the workers; calls nobody and sends nothing."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from infra.acquirer import Approved, HttpAcquirer, OutcomeUnknown
from infra.consumers import CommandConsumer, EventConsumer, Forecast, Rows, Unavailable
from infra.event_log import EventLog, Stored
from infra.settings import Settings
from process_managers.main import deadlines_of
from process_managers.order_fulfilment import order_of
from process_managers.process_store import PROCESS
from process_managers.runner import subscription
from process_managers.workers import notification, payment
from process_managers.workers.mail import HistoryMissing, compose
from process_managers.workers.once import handled
from schemas.commands import (
    AuthorisePayment,
    CapturePayment,
    NotifyCustomer,
    PaymentCommand,
    RefundPayment,
    Sent,
    VoidPayment,
)
from schemas.events.order import Contact

Pool = AsyncConnectionPool[AsyncConnection[Any]]

_HANDLED: Final = Forecast("no_op", "The worker has handled this message already.")
_SOMEBODY: Final = Contact(name="-", email="somebody@orderflow.invalid", address="-")
"""Nobody is told, so nobody's contact is opened."""
_PROCESSES: Final = """
SELECT 'processes ' || process_id AS name, phase, waiting_for, deadline_at, ended_at, state FROM processes
WHERE process = %s AND process_id = ANY(%s)
"""
_COMMANDS: Final = """
SELECT 'command ' || (body #>> '{command,type}') || ' ' || message_id AS name, message_id
FROM (SELECT message_id, convert_from(body, 'UTF8')::jsonb AS body FROM outbox) AS posted
WHERE body #>> '{trace,causation_id}' = ANY(%s)
"""


@asynccontextmanager
async def order_fulfilment(settings: Settings, pool: Pool) -> AsyncIterator[EventConsumer]:
    del pool
    yield EventConsumer(subscription(deadlines_of(settings), lambda: datetime.now(UTC)), _look)


@asynccontextmanager
async def payments(settings: Settings, pool: Pool) -> AsyncIterator[CommandConsumer]:
    if not settings.acquirer_url:
        raise Unavailable("Whether a payment is decided is known to the acquirer: set ORDERFLOW_ACQUIRER_URL.")
    async with HttpAcquirer(settings.acquirer_url) as acquirer:

        async def rehearse(sent: Sent) -> Forecast:
            command = sent.command
            if not isinstance(command, PaymentCommand):
                return Forecast("fail", f"{command.type} is not for the payment worker.")
            if await handled(pool, payment.CONSUMER, sent.message_id):
                return _HANDLED
            return await _asked(acquirer, command)

        yield CommandConsumer(rehearse)


@asynccontextmanager
async def notifications(settings: Settings, pool: Pool) -> AsyncIterator[CommandConsumer]:
    async def rehearse(sent: Sent) -> Forecast:
        command = sent.command
        if not isinstance(command, NotifyCustomer):
            return Forecast("fail", f"{command.type} is not for the notification worker.")
        if await handled(pool, notification.CONSUMER, sent.message_id):
            return _HANDLED
        history = [stored.recorded for stored in await EventLog(pool).load(command.order_id)]
        try:
            mail = compose(sent, command, _SOMEBODY, history, settings.mail_from)
        except HistoryMissing:
            return Forecast("fail", "The log does not hold what the mail is about.")
        return Forecast("succeed", f"The mail {mail['Subject']!r} would be sent to the customer of the order.")

    yield CommandConsumer(rehearse)


async def _asked(acquirer: HttpAcquirer, command: PaymentCommand) -> Forecast:
    key = _key(command)
    try:
        answer = None if key is None else await acquirer.find(key)
    except OutcomeUnknown as unknown:
        return Forecast("unknown", f"The acquirer does not say: {unknown}.")
    if answer is None:
        return Forecast("succeed", f"The acquirer would be called: {command.type}.")
    decided = f"approved it as {answer.reference}" if isinstance(answer, Approved) else f"refused it: {answer.code}"
    return Forecast("no_op", f"The acquirer {decided}; nothing changes there, and the payment would be told.")


def _key(command: PaymentCommand) -> UUID | None:
    match command:
        case AuthorisePayment(payment_id=key) | CapturePayment(capture_id=key) | RefundPayment(refund_id=key):
            return key
        case VoidPayment():
            return None


async def _look(connection: AsyncConnection[Any], events: Sequence[Stored]) -> Rows:
    recorded = [stored.recorded for stored in events]
    orders = [order_id for each in recorded if (order_id := order_of(each))]
    async with connection.cursor(row_factory=dict_row) as cursor:
        processes = await (await cursor.execute(_PROCESSES, (PROCESS, orders))).fetchall()
        causes = [str(each.event_id) for each in recorded]
        commands = await (await cursor.execute(_COMMANDS, (causes,))).fetchall()
    return {row.pop("name"): row for row in (*processes, *commands)}
