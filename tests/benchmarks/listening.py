"""One listener to the stream of changes: says when each order was told to be confirmed."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from urllib.parse import urlsplit

CONFIRMED = b'"type":"order.confirmed.v1"'


@dataclass(slots=True)
class Heard:
    at: dict[str, float] = field(default_factory=dict)
    """By order id, on the clock of `perf_counter`."""
    resets: int = 0
    """How often the stream has left something out."""


@asynccontextmanager
async def listening(query_url: str, token: str) -> AsyncIterator[Heard]:
    """Listen until the block ends; an order is told once the order list shows it, and at most every 100 ms."""
    where = urlsplit(query_url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    asked = f"GET /v1/stream HTTP/1.1\r\nhost: {where.netloc}\r\nauthorization: Bearer {token}\r\n\r\n"
    writer.write(asked.encode())
    answer = await reader.readline()
    if b" 200 " not in answer:
        raise RuntimeError(f"the stream was refused: {answer!r}")
    heard = Heard()
    task = asyncio.create_task(_hear(reader, heard))
    try:
        yield heard
    finally:
        task.cancel()
        writer.close()


async def _hear(reader: asyncio.StreamReader, heard: Heard) -> None:
    resets = 0
    while line := await reader.readline():
        if line.startswith(b"data:") and CONFIRMED in line:
            heard.at.setdefault(json.loads(line[5:])["order_id"], perf_counter())
        elif line.startswith(b"event: reset"):
            resets += 1
            heard.resets = resets
    raise RuntimeError("the stream has ended")
