"""A keep-alive HTTP/1.1 client with next to no cost of its own, so that it is not what a benchmark measures."""

import asyncio
import json
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes

    def json(self) -> Any:  # noqa: ANN401  # JSON is whatever the server sent
        return json.loads(self.body)


class Wire:
    """One connection; one request at a time."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = str(parts.hostname), int(parts.port or 80)
        self._common = f"host: {self._host}:{self._port}\r\nauthorization: Bearer {token}\r\n".encode()

    async def __aenter__(self) -> Self:
        await self._connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    async def get(self, path: str) -> Answer:
        return await self._ask(b"GET %b HTTP/1.1\r\n%b\r\n" % (path.encode(), self._common))

    async def post(self, path: str, body: bytes, key: str) -> Answer:
        head = (
            b"POST %b HTTP/1.1\r\n%bidempotency-key: %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        )
        return await self._ask(head % (path.encode(), self._common, key.encode(), len(body)) + body)

    async def _connect(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)

    async def _ask(self, request: bytes) -> Answer:
        try:
            head = await self._head(request)
        except (ConnectionError, asyncio.IncompleteReadError):  # the server ends connections that are idle for long
            self._writer.close()
            await self._connect()
            head = await self._head(request)
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return Answer(int(head[9:12]), await self._reader.readexactly(length))

    async def _head(self, request: bytes) -> bytes:
        self._writer.write(request)
        return await self._reader.readuntil(b"\r\n\r\n")
