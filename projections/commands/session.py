"""What the commands about projections share: a database, a bar while they work, and plain words for what stops them."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from redis.exceptions import RedisError

from infra.commands.failure import REFUSED, UNREACHABLE, Failure
from infra.commands.platform_database import opened, settings_of
from infra.commands.progress import bars
from infra.exclusive import Busy
from infra.runtime import NotStarted
from infra.settings import Settings
from projections.live import FiguresLost
from projections.versions.build import Advanced
from projections.versions.folding import CannotFold
from projections.versions.overview import SUBSCRIPTION_OF
from projections.versions.switching import NoVersion

T = TypeVar("T")
Pool = AsyncConnectionPool[AsyncConnection[Any]]
Work = Callable[[Pool, Settings], Awaitable[T]]
INTERRUPTED: Final = "Interrupted. What was committed is kept: the same command goes on from there."


def carry_out(dsn: str | None, data: Path | None, work: Work[T]) -> T:
    """Raises Failure."""
    settings = settings_of(dsn, data)

    async def run() -> T:
        async with opened(settings) as pool:
            try:
                return await work(pool, settings)
            except psycopg.errors.LockNotAvailable as held:
                said = "The table is in use by a long query or transaction. Try again in a moment."
                raise Failure(said, REFUSED) from held

    try:
        return asyncio.run(run())
    except Busy as busy:
        raise Failure(f"Somebody else is at work on {busy}. Try again when they are done.", REFUSED) from busy
    except NotStarted as missing:
        raise Failure(f"{missing} Without it, what orders are found by cannot be made.") from missing
    except NoVersion as missing:
        raise Failure(_WITHOUT[str(missing)], REFUSED) from missing
    except CannotFold as failed:
        raise Failure(f"{failed}. Mend the projection, then say the same again.") from failed
    except (RedisError, FiguresLost) as lost:
        raise Failure("Redis cannot be reached, or was started again meanwhile. Try again.", UNREACHABLE) from lost
    except KeyboardInterrupt as interrupted:
        raise Failure(INTERRUPTED) from interrupted


_WITHOUT: Final = {
    "rebuilt": "There is no rebuilt version of that for the table as it is. Run `orderflow projection rebuild` first.",
    "previous": "There is no version to go back to: nothing was switched, or the table has changed since.",
}


def projections_named(names: list[str]) -> list[str]:
    """Give projections in their own order, every one for `all`; raises Failure."""
    for name in names:
        if name != "all" and name not in SUBSCRIPTION_OF:
            raise Failure(f"There is no projection {name!r}. There are {', '.join(SUBSCRIPTION_OF)}, and all.")
    return [name for name in SUBSCRIPTION_OF if name in names or "all" in names]


@contextmanager
def bar(what: str, first: int, last: int) -> Iterator[Advanced]:
    """Show how far it is, from one position to another; the end may move on meanwhile."""
    with bars() as shown, _without_collector():
        task = shown.add_task(what, total=max(last - first, 0))

        def advanced(position: int) -> None:
            total = max(position - first, int(shown.tasks[task].total or 0))
            shown.update(task, completed=position - first, total=total)

        yield advanced


@contextmanager
def _without_collector() -> Iterator[None]:
    """Events and rows refer to nothing in circles, and there are millions; looking through them takes half the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
