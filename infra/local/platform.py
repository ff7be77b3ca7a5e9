"""All parts of the embedded platform, started in one event loop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from importlib.metadata import entry_points

from infra.local.failures import PartFailed
from infra.runtime import Runtime, Service, open_runtime
from infra.settings import Settings

Watch = Callable[[], Awaitable[None]]


@asynccontextmanager
async def running(settings: Settings, watch: Watch) -> AsyncIterator[dict[str, str]]:
    """Give the URLs of the parts by name once all are ready; the block is cancelled when a part ends by itself.

    Parts start in the order of their names, so the query API before the write API, and each is told the URLs of those
    before it. They stop in reverse: requests first, then background work, then connections.
    """
    group = asyncio.TaskGroup()
    async with open_runtime(settings, group) as runtime, group:
        watching = group.create_task(_watched(watch), name="servers")
        try:
            async with AsyncExitStack() as parts:
                urls = await _start(parts, runtime)
                delivering = group.create_task(runtime.bus.run(), name="bus")
                parts.push_async_callback(_cancel, delivering)
                yield urls
        finally:
            await _cancel(watching)


async def _start(parts: AsyncExitStack, runtime: Runtime) -> dict[str, str]:
    urls: dict[str, str] = {}
    for entry in sorted(entry_points(group="orderflow.services"), key=lambda entry: entry.name):
        known = {name: url for name, url in urls.items() if name in Settings.model_fields}
        told = replace(runtime, settings=runtime.settings.model_copy(update=known))
        try:
            service: Service = entry.load()
            urls.update(await parts.enter_async_context(service(told)))
        except Exception as error:
            raise PartFailed(f"{entry.name} could not start") from error
    return urls


async def _watched(watch: Watch) -> None:
    await watch()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
