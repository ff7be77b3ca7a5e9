"""Stop background tasks, and a whole process, for certain."""

import asyncio
import os
import signal
from collections.abc import Coroutine, Iterable
from typing import Any, Final

STOPPED_AT_ONCE: Final = 130
_AGAIN_SECONDS: Final = 0.2


async def stop(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and return when all have ended; what they raised stays with them.

    A task is cancelled again until it ends: `asyncio.wait_for` of Python 3.11, in which the connection pool waits,
    forgets a cancellation that comes in the same turn of the loop as the connection.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_AGAIN_SECONDS)


async def together(*work: Coroutine[Any, Any, object]) -> None:
    """Run until one fails, and stop the others for certain: a task group would cancel them only once."""
    if not work:
        return
    tasks = [asyncio.create_task(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        await finish(stop(tasks))
    for task in done:
        task.result()


async def finish(work: Coroutine[None, None, None]) -> None:
    """Wait for the end of a piece of work, however often we are cancelled meanwhile, as `stop` does."""
    task = asyncio.create_task(work)
    is_cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            is_cancelled = True
    task.result()
    if is_cancelled:
        raise asyncio.CancelledError


def stop_on_signals(seconds: float) -> None:
    """Let the first SIGINT or SIGTERM cancel the current task, and a second one, or `seconds`, end the process."""
    loop, running_task = asyncio.get_running_loop(), asyncio.current_task()

    def stop_all() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, os._exit, STOPPED_AT_ONCE)
        loop.call_later(seconds, os._exit, 1)
        if running_task is not None:
            running_task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop_all)
