"""Work that only one process does at a time, whoever is first."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from psycopg import AsyncConnection

_LOCKS: Final = 0x0F10_0006
"""Class of the advisory locks, one for each name."""


class Busy(Exception):  # noqa: N818  # a state of the world
    """Somebody else is at work on the same."""


@asynccontextmanager
async def exclusive(connection: AsyncConnection[Any], name: str) -> AsyncIterator[None]:
    """Hold the lock of a name while the connection lasts or the block does; raises Busy."""
    lock = (_LOCKS, name)
    taken = await (await connection.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", lock)).fetchone()
    if taken != (True,):
        raise Busy(name)
    try:
        yield
    finally:
        if not connection.closed:
            await connection.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", lock)
