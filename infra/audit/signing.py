"""Signs the log while a platform runs: every so many events, and every so many seconds with any."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final

from psycopg_pool import PoolTimeout

from infra.audit.checkpoints import FOLDER, Checkpoints, NotSigned
from infra.audit.note import WrongKey, read_log_key
from infra.event_log import EventLog
from infra.outages import DATABASE_OUTAGES
from infra.runtime import NotStarted, Runtime
from infra.signals import EVENTS, Waiter
from infra.stopping import stop

_LOOK_SECONDS: Final = 1.0
_log: Final = logging.getLogger(__name__)


@asynccontextmanager
async def signing(runtime: Runtime) -> AsyncIterator[None]:
    """Sign until the block ends, if there is a key. Of several processes each may: they take turns.

    Raises NotStarted when the key cannot be used.
    """
    settings = runtime.settings
    if settings.log_key_file is None:
        yield
        return
    try:
        key = read_log_key(settings.log_key_file)
    except WrongKey as wrong:
        raise NotStarted(str(wrong)) from wrong
    checkpoints = Checkpoints(runtime.pool, key, settings.checkpoint_dir or settings.log_key_file.with_name(FOLDER))
    waiter = runtime.signals.waiter(EVENTS)
    keeping = keep_signing(
        checkpoints, runtime.log, waiter, events=settings.checkpoint_events, seconds=settings.checkpoint_every
    )
    task = runtime.tasks.create_task(keeping, name="checkpoints")
    try:
        yield
    finally:
        await stop([task])


async def keep_signing(checkpoints: Checkpoints, log: EventLog, waiter: Waiter, *, events: int, seconds: float) -> None:
    """Sign soon, and then what comes, until cancelled. What must not be signed is an alarm each time."""
    while True:
        try:
            made = await checkpoints.make()
            await _until_due(log, waiter, made.position if made else 0, events=events, seconds=seconds)
        except NotSigned as alarm:
            _log.error("The log is not signed: %s", alarm)
            await asyncio.sleep(seconds)
        except (*DATABASE_OUTAGES, PoolTimeout, OSError) as outage:
            _log.warning("The log is not signed for now: %s", type(outage).__name__)
            await asyncio.sleep(min(seconds, _LOOK_SECONDS))


async def _until_due(log: EventLog, waiter: Waiter, signed: int, *, events: int, seconds: float) -> None:
    """Return once there is enough to sign, or something has waited long enough; nobody looks while nothing comes."""
    while await log.head() == signed:
        await waiter.wait(seconds)
    until = monotonic() + seconds
    while await log.head() < signed + events:
        left = until - monotonic()
        if left <= 0:
            return
        await asyncio.sleep(min(left, _LOOK_SECONDS))
