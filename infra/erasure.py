"""Forgets a customer: their orders say so, their key is destroyed, and what can still be read is looked for."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, LiteralString
from uuid import UUID

import httpx
import jwt
from psycopg import AsyncConnection, sql
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from infra.client import Api, Json
from infra.replaying import drop, past_schemas
from infra.vault import destroy
from schemas.base import Message
from schemas.ids import new_id, payment_id

Pool = AsyncConnectionPool[AsyncConnection[Any]]
Reason = Literal["customer_request", "retention_ended", "legal_order"]
_ENDED: Final = frozenset({"completed", "cancelled"})
_SHORTEST: Final = 4
"""Shorter values are found everywhere by chance."""
_LOOKED_THROUGH: Final[tuple[LiteralString, ...]] = (
    "order_summaries",
    "order_details",
    "order_timeline",
    "idempotency_records",
    "dead_letters",
    "audit_looks",
    "outbox",
    "processes",
)
_IN_TABLE: Final[LiteralString] = "SELECT count(*), count(*) FILTER (WHERE kept::text ILIKE ANY(%s)) FROM "
_IN_LOG: Final = """
SELECT count(*), count(*) FILTER (WHERE encode(state, 'hex') ILIKE ANY(%s)) FROM stored_events
WHERE originator_id = ANY(%s)
"""
# A repeat of a command that placed one of the orders is refused from now on: what it was compared with is gone.
_FORGET_ANSWERS: Final = """
UPDATE idempotency_records SET fingerprint = '' WHERE position IN (
    SELECT notification_id FROM stored_events WHERE originator_id = ANY(%s) AND originator_version = 1)
"""
_FORGET_LETTERS: Final = """
UPDATE dead_letters SET body = NULL, original_body = NULL
WHERE kind = 'command' AND status IN ('retried', 'discarded')
    AND convert_from(body, 'UTF8') LIKE ANY(%s)
"""
# Versions of the order list that do not serve, and what somebody has replayed: they follow later, or never.
_COPIES: Final = """
SELECT nspname FROM pg_namespace
WHERE nspname <> 'public' AND to_regclass(format('%I.builds', nspname)) IS NOT NULL
    AND has_table_privilege(to_regclass(format('%I.order_summaries', nspname)), 'UPDATE')
"""
_FORGET_WORDS: Final = sql.SQL("""
UPDATE {}.order_summaries AS kept SET sealed = serving.sealed, search_text = serving.search_text
FROM public.order_summaries AS serving WHERE serving.order_id = kept.order_id AND kept.order_id = ANY(%s)
""")
_KEEP: Final = """
INSERT INTO erasures (erasure_id, tenant_id, customer_id, certificate) VALUES (%s, %s, %s, %s)
"""


class CannotErase(Exception):  # noqa: N818 - a state of the world
    """Says why, and what to do."""


class Checked(Message):
    """One place that was looked through after the key was destroyed."""

    place: str
    looked_at: int
    """Rows, events or mails."""
    readable: int
    """Those in which a value of a contact could still be read."""


class Certificate(Message):
    """What was erased and what was checked. Holds nothing that it says was erased."""

    erasure_id: UUID
    tenant_id: str
    customer_id: UUID
    reason: Reason
    asked_by: str
    erased_at: datetime
    orders: tuple[UUID, ...]
    keys_destroyed: tuple[UUID, ...]
    values_searched: int
    """How many names, addresses and so on the orders held, each of which was searched for."""
    checked: tuple[Checked, ...]

    @property
    def is_complete(self) -> bool:
        return not any(each.readable for each in self.checked)


async def erase(  # noqa: PLR0913  # by name
    api: Api, pool: Pool, customer_id: UUID, *, reason: Reason, asked_by: str, mail_url: str | None = None
) -> Certificate:
    """Erase; asked again, it finishes what was begun. `mail_url` is where a mail catcher keeps what was sent.

    Raises CannotErase, and what the API and the database raise.
    """
    tenant_id = str(jwt.decode(api.token, options={"verify_signature": False})["tenant"])
    rows = await _orders(api, customer_id)
    order_ids = tuple(UUID(row["order_id"]) for row in rows)
    contacts = [_contact(await api.get(f"/v1/orders/{order_id}")) for order_id in order_ids]
    position = await _tell(api, order_ids)
    keys = await destroy(pool, tenant_id, customer_id)
    await _forget(pool, order_ids)
    await _seen(api, order_ids, position)
    await _forget_copies(pool, order_ids)
    values = _values(contacts)
    mails = [await _no_mail(mail_url, contacts)] if mail_url else []
    erased_at = datetime.now(UTC)
    certificate = Certificate(
        erasure_id=new_id(),
        tenant_id=tenant_id,
        customer_id=customer_id,
        reason=reason,
        asked_by=asked_by,
        erased_at=erased_at,
        orders=order_ids,
        keys_destroyed=tuple(keys),
        values_searched=len(values),
        checked=(*await _looked_through(pool, values, order_ids), *mails),
    )
    kept = Jsonb(certificate.model_dump(mode="json"))
    async with pool.connection() as connection:
        await connection.execute(_KEEP, (certificate.erasure_id, tenant_id, customer_id, kept))
    return certificate


async def _orders(api: Api, customer_id: UUID) -> list[Json]:
    """Give every order of the customer; raises CannotErase while one is open."""
    rows = [row async for row in api.each(f"/v1/customers/{customer_id}/orders")]
    if still := [row["order_id"] for row in rows if row["status"] not in _ENDED]:
        open_ones = f" and {len(still) - 1} more have" if len(still) > 1 else " has"
        msg = f"Order {still[0]}{open_ones} not ended. Whoever gets it must be known until then: cancel or complete it."
        raise CannotErase(msg)
    return rows


def _contact(order: Json) -> dict[str, str | None] | None:
    """Give what must not be readable afterwards; raises CannotErase when the caller is not shown it."""
    if order["masked"]:
        raise CannotErase("An auditor's token is shown no contacts to look for. Use one with orders:manage.")
    contact: dict[str, str | None] | None = order["contact"]
    return contact


async def _tell(api: Api, order_ids: Iterable[UUID]) -> int:
    """Record it in every order; gives the position of the last record."""
    positions = [
        (await api.post(f"/v1/orders/{order_id}/erasure", {}, key=f"erase/{order_id}"))["position"]
        for order_id in order_ids
    ]
    return max(positions, default=0)


async def _seen(api: Api, order_ids: Sequence[UUID], position: int) -> None:
    if order_ids:
        await api.get(f"/v1/orders/{order_ids[-1]}", min_position=position, wait=5)


async def _forget(pool: Pool, order_ids: Sequence[UUID]) -> None:
    async with pool.connection() as connection:
        async with connection.transaction():
            await connection.execute(_FORGET_ANSWERS, (list(order_ids),))
            await connection.execute(_FORGET_LETTERS, ([f"%{order_id}%" for order_id in order_ids],))
        for schema in await past_schemas(connection):  # in which the customer could still be found by name
            await drop(connection, schema)


async def _forget_copies(pool: Pool, order_ids: Sequence[UUID]) -> None:
    """Take the words that the customer is found by from wherever else there is a row of the orders."""
    async with pool.connection() as connection:
        for (schema,) in await (await connection.execute(_COPIES)).fetchall():
            await connection.execute(_FORGET_WORDS.format(sql.Identifier(schema)), (list(order_ids),))


def _values(contacts: Iterable[Mapping[str, str | None] | None]) -> frozenset[str]:
    found = {value for contact in contacts if contact for value in contact.values() if value}
    return frozenset(value for value in found if len(value) >= _SHORTEST)


async def _looked_through(pool: Pool, values: Iterable[str], order_ids: Sequence[UUID]) -> list[Checked]:
    """Look for each value as text, and as the hex digits that bytes are shown in."""
    in_hex = [f"%{value.encode().hex()}%" for value in values]
    patterns = [*(f"%{_plain(value)}%" for value in values), *in_hex]
    streams = [*order_ids, *map(payment_id, order_ids)]
    async with pool.connection() as connection:
        row = await (await connection.execute(_IN_LOG, (in_hex, streams))).fetchone() or (0, 0)
        checked = [Checked(place="event log, streams of the orders", looked_at=row[0], readable=row[1])]
        for table in _LOOKED_THROUGH:
            row = await (await connection.execute(_IN_TABLE + table + " AS kept", (patterns,))).fetchone() or (0, 0)
            checked.append(Checked(place=table, looked_at=row[0], readable=row[1]))
    return checked


def _plain(value: str) -> str:
    return value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


async def _no_mail(mail_url: str, contacts: Iterable[Mapping[str, str | None] | None]) -> Checked:
    """Empty the mail catcher of what it caught for the customer. A real mailbox is the customer's own."""
    addresses = {str(contact["email"]) for contact in contacts if contact}
    async with httpx.AsyncClient(base_url=mail_url, timeout=10) as http:
        removed, left = 0, 0
        for address in addresses:
            answer = await http.delete("/messages", params={"to": address})
            answer.raise_for_status()
            removed += answer.json()["removed"]
            left += len((await http.get("/messages", params={"to": address})).json()["messages"])
    return Checked(place="mail catcher", looked_at=removed, readable=left)
