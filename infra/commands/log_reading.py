"""Reads the event log over one connection, for commands."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

from infra.commands.failure import Failure
from infra.commands.platform_database import Connection, connected
from infra.commands.where import data_of, dsn_of
from infra.event_log import COLUMNS, HEAD, Stored
from infra.settings import Settings
from infra.signals import EVENTS
from schemas.events.order import Contact, OrderPlaced

POLL_SECONDS: Final = 0.5
PAGE: Final = 500
_AFTER: Final = COLUMNS + "WHERE notification_id > %s AND topic LIKE %s ORDER BY notification_id LIMIT %s"
_NEWEST: Final = COLUMNS + "WHERE topic LIKE %s ORDER BY notification_id DESC LIMIT %s"
_STREAM: Final = COLUMNS + "WHERE originator_id = %s ORDER BY originator_version"
_KEY: Final = "SELECT tenant_id, key_id, wrapped FROM vault_keys WHERE key_id = %s"


@contextmanager
def reading(dsn: str | None, data: Path | None) -> Iterator[Connection]:
    """Give a read-only connection; raises Failure when there is no log to read."""
    with connected(dsn_of(dsn, data, Settings()), "-c default_transaction_read_only=on") as connection:
        yield connection


def newest(connection: Connection, limit: int, *, category: str | None, follow: bool) -> Iterator[Stored]:
    """Give the newest events, the oldest first, and then, with `follow`, whatever comes."""
    topics, reached = f"{category or ''}%", size(connection)
    for stored in reversed(_rows(connection, _NEWEST, (topics, limit))):
        reached = max(reached, stored.position)
        yield stored
    if not follow:
        return
    connection.execute(f"LISTEN {EVENTS}")
    while True:
        fresh = _rows(connection, _AFTER, (reached, topics, PAGE))
        for stored in fresh:
            reached = stored.position
            yield stored
        if not fresh:
            list(connection.notifies(timeout=POLL_SECONDS, stop_after=1))


def everything(connection: Connection) -> Iterator[Stored]:
    """Give the whole log as it is now, the oldest first."""
    reached, head = 0, size(connection)
    while reached < head:
        for stored in _rows(connection, _AFTER, (reached, "%", PAGE)):
            if stored.position > head:
                return
            yield stored
            reached = stored.position


def size(connection: Connection) -> int:
    """Give the newest position of the log, which is about how many events it holds."""
    row = connection.execute(HEAD).fetchone()
    return int(row[0]) if row else 0


def stream(connection: Connection, stream_id: UUID) -> list[Stored]:
    """Give a stream in version order; empty when it does not exist."""
    return _rows(connection, _STREAM, (stream_id,))


def contacts(connection: Connection, data: Path | None, *, reveal: bool) -> Callable[[Stored], Contact | None]:
    """Give what opens the contact of an order.placed; nothing, when it is not to be revealed or was erased.

    Raises Failure when the secret that is needed for it is not to be found.
    """
    if not reveal:
        return lambda _: None
    from infra.runtime import NotStarted
    from infra.secret_files import secret_in
    from infra.tenant_keys import TenantKeys
    from infra.vault import contact_of, unsealed, unwrapped

    settings = Settings()
    folder = data_of(data, None, settings)
    file = settings.vault_file or (secret_in(folder) if folder else None)
    try:
        tenants = TenantKeys.of_settings(settings.model_copy(update={"vault_file": file}))
    except NotStarted as missing:
        raise Failure(f"{missing} Without it, contacts stay sealed.") from missing

    def opened(stored: Stored) -> Contact | None:
        event = stored.recorded.event
        if not isinstance(event, OrderPlaced):
            return None
        key_id = event.contact.key_id
        row = connection.execute(_KEY, (key_id,)).fetchone() if key_id else None
        cipher = unwrapped(tenants, row[0], row[1], row[2]) if row else None
        return unsealed(Contact, event.contact, contact_of(stored.stream_id), cipher)

    return opened


def _rows(connection: Connection, query: str, parameters: tuple[object, ...]) -> list[Stored]:
    with connection.cursor(binary=True) as cursor:
        cursor.execute(query.encode(), parameters)
        return [Stored(*row) for row in cursor.fetchall()]
