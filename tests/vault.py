"""The secret of tests, and what it opens."""

import tempfile
from base64 import b64decode, b64encode
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final
from uuid import UUID

from psycopg_pool import AsyncConnectionPool

from infra.event_log import Stored
from infra.signals import Signals
from infra.tenant_keys import TenantKeys
from infra.vault import Vault, contact_of, findable
from schemas.events.order import Contact, OrderPlaced

_SECRET: Final = bytes(range(32))
TENANTS: Final = TenantKeys(_SECRET)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="orderflow-vault-")


def vault_file() -> Path:
    """Give a file with the secret of tests."""
    file = Path(_folder().name, "vault")
    file.write_bytes(b64encode(_SECRET))
    return file


def unconnected() -> Vault:
    return Vault(AsyncConnectionPool("", open=False), Signals(""), TENANTS)


def with_words(log: Sequence[Stored]) -> list[Stored]:
    """Give a log as the order list is told it; its contacts are in clear."""
    return [_with_words(stored) for stored in log]


def _with_words(stored: Stored) -> Stored:
    if not stored.topic.startswith("order.placed."):
        return stored
    event = stored.recorded.event
    assert isinstance(event, OrderPlaced)
    return findable(stored, Contact.model_validate_json(b64decode(event.contact.box)), TENANTS)


async def contacts_in(dsn: str, secret: Path, log: Sequence[Stored]) -> dict[UUID, Contact | None]:
    """Open the contact of every order in a log of a running platform."""
    async with AsyncConnectionPool(dsn, kwargs={"autocommit": True}, open=False) as pool:
        vault = Vault(pool, Signals(""), TenantKeys.read(secret))
        events = [(stored.stream_id, stored.recorded.event) for stored in log]
        boxes = [(event.contact, contact_of(order)) for order, event in events if isinstance(event, OrderPlaced)]
        return dict(zip((where.stream_id for _, where in boxes), await vault.open(Contact, boxes), strict=True))
