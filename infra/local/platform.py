"""All parts of the embedded platform, started in one event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeVar

from infra.audit.signing import signing
from infra.http import LOOPBACK
from infra.local.acquirer import serve_acquirer
from infra.local.failures import PartFailed
from infra.local.mail_catcher import catch_mail
from infra.runtime import Runtime, Service, delivering, open_runtime
from infra.settings import Settings

T = TypeVar("T")


@asynccontextmanager
async def running(
    settings: Settings, folder: Path, watch: Callable[[], Coroutine[None, None, None]]
) -> AsyncIterator[dict[str, str]]:
    """Give the URLs of the parts by name once all are ready; the block is cancelled when a part ends by itself.

    Each part is told the URLs of those before it. They stop in reverse: requests first, then background work, then
    connections. Raises PartFailed when a part does not start, else what a part failed with, in an ExceptionGroup.
    """
    tasks = asyncio.TaskGroup()
    async with open_runtime(settings, tasks) as runtime, tasks:
        watching = tasks.create_task(watch(), name="servers")
        try:
            async with AsyncExitStack() as parts:
                outside = await _start_outside(parts, settings, folder)
                urls = await _start_services(parts, runtime, outside)
                await parts.enter_async_context(delivering(runtime))
                await parts.enter_async_context(signing(runtime))
                yield urls
        finally:
            await _cancel(watching)


async def _start_outside(parts: AsyncExitStack, settings: Settings, folder: Path) -> dict[str, str | int]:
    """Start what stands in for other companies' systems, each with files of its own; no token guards them."""
    host = LOOPBACK
    acquirer = serve_acquirer(folder / "acquirer.sqlite", host=host, port=settings.acquirer_port)
    acquirer_url = await _entered(parts, "the acquirer", acquirer)
    mail = catch_mail(folder / "mail.sqlite", host=host, smtp_port=settings.smtp_port, port=settings.mail_port)
    caught = await _entered(parts, "the mail catcher", mail)
    return {"acquirer_url": acquirer_url, "mail_url": caught.url, "smtp_host": host, "smtp_port": caught.smtp_port}


async def _start_services(parts: AsyncExitStack, runtime: Runtime, known: dict[str, str | int]) -> dict[str, str]:
    """Start them in the order of their names: the query API before the write API, whose answers point to it."""
    for entry in sorted(entry_points(group="orderflow.services"), key=lambda entry: entry.name):
        told = {name: value for name, value in known.items() if name in Settings.model_fields}
        service: Service = entry.load()
        started = service(replace(runtime, settings=runtime.settings.model_copy(update=told)))
        known = {**known, **await _entered(parts, entry.name, started)}
    return {name: str(value) for name, value in known.items()}


async def _entered(parts: AsyncExitStack, name: str, part: AbstractAsyncContextManager[T]) -> T:
    try:
        return await parts.enter_async_context(part)
    except Exception as error:
        raise PartFailed(f"{name} could not start") from error


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
