"""Finds and opens the database of a platform for commands; what stops them is told in a sentence."""

import os
import pwd
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from pydantic import SecretStr

from infra.commands.failure import UNREACHABLE, Failure
from infra.commands.where import address, servers_of
from infra.settings import Settings

_OPTIONS: Final = "-c lock_timeout=10000 -c statement_timeout=60000"
_CONNECT_SECONDS: Final = 5.0
Connection = psycopg.Connection[tuple[Any, ...]]


def settings_of(dsn: str | None, data: Path | None, settings: Settings | None = None) -> Settings:
    """Give the settings with the database, and with the neighbours of a running platform when it is that one's."""
    settings = settings or Settings()
    known = {"postgres_dsn": dsn} if dsn else servers_of(data, settings)
    chosen = settings.model_fields_set - {"postgres_dsn"}
    update = {
        name: SecretStr(value) if isinstance(getattr(settings, name), SecretStr) else value
        for name, value in known.items()
        if name not in chosen
    }
    found = settings.model_copy(update=update)
    address(found.postgres_dsn.get_secret_value())
    return found


@contextmanager
def _plainly() -> Iterator[None]:
    """Raise Failure for what keeps somebody from a database."""
    try:
        yield
    except psycopg.errors.LockNotAvailable as held:
        raise Failure("Somebody else is at work on the same stream. Try again in a moment.") from held
    except psycopg.errors.UndefinedTable as missing:
        raise Failure("That database has not the newest schema. Run `orderflow migrate` for it first.") from missing
    except psycopg.errors.InsufficientPrivilege as refused:
        raise Failure(f"The database does not let this user do that: {refused}.") from refused
    except (psycopg.OperationalError, PoolTimeout) as lost:
        raise Failure("The database cannot be reached. Is its platform running?", UNREACHABLE) from lost


@contextmanager
def connected(dsn: str, options: str = "") -> Iterator[Connection]:
    """Give one autocommit connection; raises Failure when there is no event log to read."""
    with _plainly(), psycopg.connect(dsn, autocommit=True, options=options) as connection:
        yield connection


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[AsyncConnectionPool[AsyncConnection[Any]]]:
    """Give autocommit connections that wait for the disk; raises Failure when there is no database to work on."""
    dsn = settings.postgres_dsn.get_secret_value()
    with _plainly():
        async with (
            await AsyncConnection.connect(dsn, autocommit=True, options=_OPTIONS),
            AsyncConnectionPool(
                dsn,
                kwargs={"autocommit": True, "options": _OPTIONS},
                min_size=1,
                max_size=4,
                timeout=_CONNECT_SECONDS,
                open=False,
            ) as pool,
        ):
            yield pool


def operator() -> str:
    """Name who works at this machine, as the system knows them."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
