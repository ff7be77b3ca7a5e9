"""Reads server-sent events as a client would."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx

_PATIENCE_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Heard:
    event: str
    event_id: str
    data: dict[str, Any]


@dataclass
class Listening:
    response: httpx.Response
    blocks: AsyncIterator[dict[str, str]]
    last_event_id: str = ""

    async def block(self) -> dict[str, str]:
        """Give the next block of lines, comments included, as fields by name."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            block = await anext(self.blocks)
        self.last_event_id = block.get("id", self.last_event_id)
        return block

    async def event(self) -> Heard:
        """Give the next event that carries data."""
        while "data" not in (block := await self.block()):
            pass
        return Heard(block["event"], self.last_event_id, json.loads(block["data"]))

    async def event_of(self, kind: str) -> Heard:
        """Give the next event about a change of this type."""
        while (heard := await self.event()).data.get("type") != kind:
            pass
        return heard


async def _blocks(response: httpx.Response) -> AsyncIterator[dict[str, str]]:
    block: dict[str, str] = {}
    async for line in response.aiter_lines():
        if not line:
            yield block
            block = {}
        else:
            name, _, value = line.partition(":")
            block[name or "comment"] = value.strip()


@asynccontextmanager
async def listening(
    client: httpx.AsyncClient, path: str, headers: Mapping[str, str], *, last_event_id: str | None = None
) -> AsyncIterator[Listening]:
    """Listen until the block ends; begins once the stream has said its first words."""
    resumed = {"last-event-id": last_event_id} if last_event_id is not None else {}
    async with client.stream("GET", path, headers={**headers, **resumed}) as response:
        stream = Listening(response, _blocks(response))
        if response.status_code == httpx.codes.OK and last_event_id is None:
            await stream.block()
        yield stream
