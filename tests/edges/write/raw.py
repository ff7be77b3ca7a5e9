"""Requests byte by byte, for what a well-behaved client would not send."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.edges.write.shop import Shop


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401  # JSON is any value
        return json.loads(self.body)


async def exchange(shop: Shop, *parts: bytes, path: str = "/v1/orders", close: bool = True) -> Answer:
    """Send a POST made of header lines and a body, all as given; read one answer."""
    url = urlsplit(str(shop.client.base_url))
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {shop.token}\r\nidempotency-key: raw-1\r\n"
    writer.write(head.encode() + (b"connection: close\r\n" if close else b"") + b"".join(parts))
    await writer.drain()
    async with asyncio.timeout(10):
        answer = await _read(reader)
    writer.close()
    await writer.wait_closed()
    return answer


async def _read(reader: asyncio.StreamReader) -> Answer:
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(int(status.split()[1]), headers, body)
