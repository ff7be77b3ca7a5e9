"""Tells the customer by mail what happened to the order."""

from typing import Final

from psycopg_pool import AsyncConnectionPool

from infra.event_log import EventLog
from infra.smtp import Smtp
from infra.vault import Vault, contact_of
from process_managers.workers.mail import compose, placed_in
from process_managers.workers.once import handled, remember
from schemas.commands import NotifyCustomer, Sent
from schemas.events.order import Contact

CONSUMER: Final = "notification"


class NotificationWorker:
    """One mail per command; should it be sent twice after a crash, both carry the same Message-ID."""

    def __init__(self, pool: AsyncConnectionPool, log: EventLog, vault: Vault, smtp: Smtp, *, sender: str) -> None:
        self._pool = pool
        self._vault = vault
        self._log = log
        self._smtp = smtp
        self._sender = sender

    async def handle(self, sent: Sent) -> None:
        """Send the mail and remember that; raises MailNotTaken or HistoryMissing to be called again later.

        A customer who has been erased is told nothing.
        """
        command = sent.command
        if not isinstance(command, NotifyCustomer):
            raise TypeError(f"{command.type} is not for the notification worker")
        if await handled(self._pool, CONSUMER, sent.message_id):
            return
        history = [stored.recorded for stored in await self._log.load(command.order_id)]
        placed = placed_in(history, command.order_id)
        (contact,) = await self._vault.open(Contact, [(placed.contact, contact_of(command.order_id))])
        if contact is not None:
            await self._smtp.send(compose(sent, command, contact, history, self._sender))
        async with self._pool.connection() as connection:
            await remember(connection, CONSUMER, sent.message_id)
