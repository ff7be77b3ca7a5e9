"""Seals what is personal with a key for each customer, so that destroying the key erases it wherever it was copied.

The keys are kept in the database, each wrapped (AES Key Wrap, RFC 3394) by a key of its tenant, which is kept apart
(`infra.tenant_keys`): what is stolen of the one is useless without the other.
"""

import logging
import os
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from time import monotonic
from typing import Any, Final, NamedTuple, TypeVar, cast
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from pydantic import ValidationError

from infra.event_log import Stored
from infra.signals import KEYS, Signals
from infra.tenant_keys import TenantKeys
from schemas.events.order import Contact, OrderPlaced
from schemas.ids import new_id
from schemas.personal import Findable, Personal, Sealed

P = TypeVar("P", bound=Personal)
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_REMEMBERED: Final = 20_000
_REMEMBERED_SECONDS: Final = 60.0
_OWN: Final = """
SELECT key_id, wrapped FROM vault_keys WHERE tenant_id = %s AND customer_id = %s AND destroyed_at IS NULL
"""
_ADD: Final = """
INSERT INTO vault_keys (key_id, tenant_id, customer_id, wrapped) VALUES (%s, %s, %s, %s)
ON CONFLICT (tenant_id, customer_id) WHERE destroyed_at IS NULL DO NOTHING
"""
_FIND: Final = "SELECT key_id, tenant_id, wrapped FROM vault_keys WHERE key_id = ANY(%s)"
_DESTROY: Final = """
UPDATE vault_keys SET wrapped = NULL, destroyed_at = now()
WHERE tenant_id = %s AND customer_id = %s AND destroyed_at IS NULL RETURNING key_id
"""
_log: Final = logging.getLogger(__name__)


class VaultDamaged(Exception):  # noqa: N818 - a state of the world
    """A key that is needed to write was changed, or made with another secret."""


class Where(NamedTuple):
    """The field of the event that something sealed belongs to."""

    stream_id: UUID
    version: int
    field: str

    @property
    def bound(self) -> bytes:
        return f"{self.stream_id}/{self.version}/{self.field}".encode()


def contact_of(order_id: UUID) -> Where:
    """Tell where the contact of an order is."""
    return Where(order_id, 1, "contact")


class _Known(NamedTuple):
    cipher: AESGCM | None
    """None once it is destroyed."""
    until: float


class Vault:
    """Every method raises psycopg.OperationalError (PoolTimeout is one) when the database cannot be asked for a key.

    Keys are remembered for a minute at most; that one was destroyed is heard at once.
    """

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], signals: Signals, tenants: TenantKeys) -> None:
        self.tenants = tenants
        self._pool = pool
        self._destroyed = signals.waiter(KEYS)
        self._known: OrderedDict[UUID, _Known] = OrderedDict()
        self._own: OrderedDict[tuple[str, UUID], UUID] = OrderedDict()

    async def seal(self, personal: Personal, where: Where, tenant_id: str, customer_id: UUID) -> Sealed:
        """Seal with the customer's key; makes one for a new customer, which is on the disk when this returns.

        Raises VaultDamaged.
        """
        key_id, cipher = await self._key_of(tenant_id, customer_id)
        nonce = os.urandom(_NONCE_BYTES)
        box = nonce + cipher.encrypt(nonce, personal.model_dump_json().encode(), where.bound)
        return Sealed(key_id=key_id, box=b64encode(box).decode())

    async def open(self, kind: type[P], boxes: Iterable[tuple[Sealed | None, Where]]) -> list[P | None]:
        """Open several at once; None for nothing, and for what can no longer be read."""
        asked = list(boxes)
        self._forget()
        await self._learn({sealed.key_id for sealed, _ in asked if sealed and sealed.key_id})
        return [self._opened(kind, sealed, where) for sealed, where in asked]

    async def findable(self, batch: Sequence[Stored]) -> list[Stored]:
        """Give the same events; contacts that open have the words by which they are found."""
        boxes = [(each, contact) for each in batch if (contact := _contact_in(each))]
        contacts = await self.open(Contact, ((contact, contact_of(each.stream_id)) for each, contact in boxes))
        read = {
            each.position: findable(each, contact, self.tenants)
            for (each, _), contact in zip(boxes, contacts, strict=True)
            if contact is not None
        }
        return [read.get(each.position, each) for each in batch]

    def _opened(self, kind: type[P], sealed: Sealed | None, where: Where) -> P | None:
        if sealed is None:
            return None
        known = self._known.get(sealed.key_id) if sealed.key_id else None
        return unsealed(kind, sealed, where, known.cipher if known else None)

    async def _key_of(self, tenant_id: str, customer_id: UUID) -> tuple[UUID, AESGCM]:
        self._forget()
        key_id = self._own.get((tenant_id, customer_id))
        known = self._known.get(key_id) if key_id else None
        if key_id and known and known.cipher and known.until > monotonic():
            return key_id, known.cipher
        key_id, wrapped = await self._found_or_made(tenant_id, customer_id)
        cipher = self._unwrapped(tenant_id, key_id, wrapped)
        if cipher is None:
            raise VaultDamaged(f"key {key_id} does not open")
        self._own[(tenant_id, customer_id)] = key_id
        _bound(self._own)
        return key_id, cipher

    async def _found_or_made(self, tenant_id: str, customer_id: UUID) -> tuple[UUID, bytes]:
        async with self._pool.connection() as connection:
            whose = (tenant_id, customer_id)
            while (row := await (await connection.execute(_OWN, whose)).fetchone()) is None:
                wrapped = aes_key_wrap(self.tenants.of("wrap", tenant_id), os.urandom(_KEY_BYTES))
                async with connection.transaction():
                    await connection.execute("SET LOCAL synchronous_commit = on")
                    await connection.execute(_ADD, (new_id(), *whose, wrapped))
        return cast("tuple[UUID, bytes]", row)

    async def _learn(self, key_ids: set[UUID]) -> None:
        now = monotonic()
        missing = [key_id for key_id in key_ids if (known := self._known.get(key_id)) is None or known.until < now]
        if not missing:
            return
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(_FIND, (missing,))).fetchall()
        for key_id, tenant_id, wrapped in rows:
            self._unwrapped(tenant_id, key_id, wrapped)

    def _unwrapped(self, tenant_id: str, key_id: UUID, wrapped: bytes | None) -> AESGCM | None:
        cipher = unwrapped(self.tenants, tenant_id, key_id, wrapped)
        self._known[key_id] = _Known(cipher, monotonic() + _REMEMBERED_SECONDS)
        _bound(self._known)
        return cipher

    def _forget(self) -> None:
        if self._destroyed.woken():
            self._known.clear()
            self._own.clear()


def unwrapped(tenants: TenantKeys, tenant_id: str, key_id: UUID, wrapped: bytes | None) -> AESGCM | None:
    """Give a customer's key, or None for one that was destroyed or is not what was kept."""
    if wrapped is None:
        return None
    try:
        return AESGCM(aes_key_unwrap(tenants.of("wrap", tenant_id), wrapped))
    except InvalidUnwrap:
        _log.error("key %s does not open: it was changed, or the secret is another one", key_id)
        return None


def unsealed(kind: type[P], sealed: Sealed, where: Where, cipher: AESGCM | None) -> P | None:
    """Give what is in the box; None without the key, and for a box that was changed or belongs elsewhere."""
    box = b64decode(sealed.box)
    if sealed.key_id is None:
        return kind.model_validate_json(box)
    if cipher is None:
        return None
    try:
        return kind.model_validate_json(cipher.decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], where.bound))
    except InvalidTag:
        _log.error("a field does not open, because it was changed: %s", where.bound.decode())
        return None


async def destroy(pool: AsyncConnectionPool[AsyncConnection[Any]], tenant_id: str, customer_id: UUID) -> list[UUID]:
    """Destroy the customer's key, for good; gives its id, or nothing when there is none. Every vault hears of it."""
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("SET LOCAL synchronous_commit = on")
        rows = await (await connection.execute(_DESTROY, (tenant_id, customer_id))).fetchall()
        await connection.execute("SELECT pg_notify(%s, '')", (KEYS,))
    return [key_id for (key_id,) in rows]


def _contact_in(stored: Stored) -> Sealed | None:
    """Give what is sealed; nothing in an event that cannot be read, which whoever folds it will say."""
    if not stored.topic.startswith("order.placed."):
        return None
    try:
        event = stored.recorded.event
    except ValidationError:
        return None
    return event.contact if isinstance(event, OrderPlaced) else None


def findable(stored: Stored, contact: Contact, tenants: TenantKeys) -> Stored:
    """Give an order.placed with the words by which its contact is found."""
    recorded = stored.recorded
    event = recorded.event
    if not isinstance(event, OrderPlaced):
        return stored
    words = tenants.blind_words(recorded.tenant_id, f"{contact.name} {contact.email}")
    found = Findable(key_id=event.contact.key_id, box=event.contact.box, words=words)
    return stored.read_as(recorded.model_copy(update={"event": event.model_copy(update={"contact": found})}))


def _bound(remembered: OrderedDict[Any, Any]) -> None:
    while len(remembered) > _REMEMBERED:
        remembered.popitem(last=False)
