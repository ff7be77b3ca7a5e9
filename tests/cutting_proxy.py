"""Stands between a client and PostgreSQL, and cuts the connection at the worst moment."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

SOCKET: Final = ".s.PGSQL.5432"
COMMITTED: Final = b"COMMIT\0"
"""What the server says when it has committed."""


class CuttingProxy:
    """Forwards bytes. While `cuts` is above zero it hangs up instead of passing on that something was committed."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._serving: set[asyncio.Task[None]] = set()
        self.cuts = 0
        self.refusing = False

    async def serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        serving = asyncio.current_task()
        assert serving is not None
        self._serving.add(serving)
        async with _closing(to_client):
            if not self.refusing:
                await self._forward(from_client, to_client)

    async def ended(self) -> None:
        await asyncio.gather(*self._serving)

    async def _forward(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(self._server)
        async with _closing(to_server):
            asking = asyncio.create_task(_pass_on(from_client, to_server, lambda _: False))
            answering = asyncio.create_task(_pass_on(from_server, to_client, self._is_cut))
            both = (asking, answering)
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in both:
                task.cancel()
            await asyncio.wait(both)

    def _is_cut(self, answered: bytes) -> bool:
        if self.cuts == 0 or COMMITTED not in answered:
            return False
        self.cuts -= 1
        return True


@asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    yield
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_cut: Callable[[bytes], bool]) -> None:
    with suppress(ConnectionError):
        while (passing := await reader.read(65_536)) and not is_cut(passing):
            writer.write(passing)
            await writer.drain()


@asynccontextmanager
async def cutting_proxy(dsn: str, folder: Path) -> AsyncIterator[tuple[str, CuttingProxy]]:
    """Give a DSN that leads through the proxy."""
    where = conninfo_to_dict(dsn)
    proxy = CuttingProxy(Path(str(where["host"])) / SOCKET)
    through = f"postgresql://{where['user']}@/{where['dbname']}?host={quote(str(folder), safe='')}"
    server = await asyncio.start_unix_server(proxy.serve, folder / SOCKET)
    yield through, proxy
    server.close()
    await proxy.ended()
