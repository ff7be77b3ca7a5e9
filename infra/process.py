"""One role as an operating system process: waits for its database, tells when it is ready, stops on a signal."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from time import monotonic
from typing import Final

import psycopg
import structlog
import uvloop
from psycopg.conninfo import make_conninfo
from pydantic import BaseModel, ConfigDict

from infra.local.ready import write_whole
from infra.migrate import head, is_current
from infra.pauses import shorten_pauses
from infra.roles import Role
from infra.runtime import NotStarted, delivering, open_runtime
from infra.settings import Settings
from infra.stopping import stop_on_signals

STOP_SECONDS: Final = 10.0
DATABASE_SECONDS: Final = 60.0
_CONNECT_SECONDS: Final = 5
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 2.0
_log: Final = structlog.get_logger()

Part = AbstractAsyncContextManager[Mapping[str, str]]


class ReadyRole(BaseModel):
    """What `orderflow run --ready-file` writes."""

    model_config = ConfigDict(frozen=True)

    role: str
    pid: int
    urls: dict[str, str]


def run(name: str, part: Part, ready_file: Path | None) -> None:
    """Run until a signal, in the main thread; raises what the part failed with, perhaps in an ExceptionGroup."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(name, part, ready_file))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return


async def _run(name: str, part: Part, ready_file: Path | None) -> None:
    stop_on_signals(STOP_SECONDS)
    async with part as urls:
        shorten_pauses()
        ready = ReadyRole(role=name, pid=os.getpid(), urls=dict(urls))
        _log.info("ready", **ready.urls)
        with _announced(ready, ready_file):
            await asyncio.Event().wait()


@asynccontextmanager
async def serving(role: Role, settings: Settings) -> AsyncIterator[Mapping[str, str]]:
    """Run a role of the cluster; raises NotStarted, and else what it failed with in an ExceptionGroup."""
    service = role.load()
    if "pool_size" not in settings.model_fields_set:
        settings = settings.model_copy(update={"pool_size": role.pool_size})
    await database_ready(settings.postgres_dsn.get_secret_value())
    tasks = asyncio.TaskGroup()
    async with open_runtime(settings, tasks) as runtime, tasks, service(runtime) as urls, delivering(runtime):
        yield urls


async def database_ready(dsn: str, seconds: float = DATABASE_SECONDS) -> None:
    """Wait for the database, so that it may start later than we; raises NotStarted when it is away or not migrated."""
    until, pause = monotonic() + seconds, _FIRST_PAUSE_SECONDS
    while True:
        try:
            current = await asyncio.to_thread(is_current, make_conninfo(dsn, connect_timeout=_CONNECT_SECONDS))
        except psycopg.OperationalError as away:
            if monotonic() + pause > until:
                raise NotStarted(
                    "The database cannot be reached. Check ORDERFLOW_POSTGRES_DSN and that its server runs."
                ) from away
            logging.getLogger(__name__).warning("waiting for the database: %s", type(away).__name__)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            continue
        except psycopg.ProgrammingError as wrong:
            raise NotStarted("ORDERFLOW_POSTGRES_DSN is no database address that PostgreSQL's client reads.") from wrong
        if not current:
            raise NotStarted(f"The database has not got schema {head()} yet. Run `orderflow migrate` for it first.")
        return


@contextmanager
def _announced(ready: ReadyRole, file: Path | None) -> Iterator[None]:
    if file is None:
        yield
        return
    write_whole(file, ready.model_dump_json() + "\n")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def tell(sentence: str, error: BaseException) -> None:
    """Say for people or programs why this process ends; where exactly only if it is known to be nobody's mistake."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{sentence}\n")
    else:
        _log.error(sentence, exc_info=None if _is_told(error) else error)


def _is_told(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_told, error.exceptions))
    return isinstance(error, NotStarted)
