"""The line to a broker, which can be cut and put right again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Line:
    """Forwards bytes unless it is down."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self.is_down = False

    def cut(self) -> None:
        """Break every connection, in the middle of whatever it carries."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        serving = asyncio.current_task()
        assert serving is not None
        self._serving.add(serving)
        if self.is_down:
            to_client.transport.abort()
            return
        from_server, to_server = await asyncio.open_connection(self._host, self._port)
        self._writers |= {to_client, to_server}
        await asyncio.gather(_pass_on(from_client, to_server), _pass_on(from_server, to_client))
        self._writers -= {to_client, to_server}

    async def ended(self) -> None:
        await asyncio.gather(*self._serving)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while passing := await reader.read(65_536):
            writer.write(passing)
            await writer.drain()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[tuple[str, Line]]:
    """Give a URL that leads over the line."""
    where = urlsplit(url)
    line = Line(where.hostname or "", where.port or 5672)
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    credentials = where.netloc.rpartition("@")[0]
    yield where._replace(netloc=f"{credentials}@127.0.0.1:{port}").geturl(), line
    server.close()
    line.cut()
    await line.ended()
