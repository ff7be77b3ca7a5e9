"""Remembers which messages a worker has handled."""

from typing import Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

_SEEN: Final = "SELECT 1 FROM inbox WHERE consumer = %s AND message_id = %s"
_REMEMBER: Final = "INSERT INTO inbox (consumer, message_id) VALUES (%s, %s) ON CONFLICT DO NOTHING"


async def handled(pool: AsyncConnectionPool, consumer: str, message_id: UUID) -> bool:
    """Tell whether a message has been handled before; saves the work, while `remember` is what decides."""
    async with pool.connection() as connection:
        return await (await connection.execute(_SEEN, (consumer, message_id))).fetchone() is not None


async def remember(connection: AsyncConnection, consumer: str, message_id: UUID) -> bool:
    """Write, in the caller's transaction, that a message is handled; False when it already was."""
    return (await connection.execute(_REMEMBER, (consumer, message_id))).rowcount == 1
