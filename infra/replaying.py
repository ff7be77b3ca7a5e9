"""Starts `orderflow replay` as a process of its own, so that folding keeps nobody waiting who shares ours.

What it fills for questions about the past are schemas that anybody may drop: they are made again when asked for.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

from psycopg import AsyncConnection, sql

from infra.commands.failure import REFUSED
from infra.settings import Settings

Outcome = Literal["done", "refused", "failed"]
"""Refused when somebody else is at work on the same schema."""
NAMES: Final = "past_{form:.8}_{tenant:.16}_{position}"
"""How these schemas are called: by digests, and where in the log they end."""
_SCHEMAS: Final = "SELECT nspname FROM pg_namespace WHERE nspname ~ '^past_[0-9a-f]{8}_[0-9a-f]{16}_[0-9]+$'"
_DROP: Final = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE")
_NICE: Final = 10
"""Answers go before replays."""
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is replayed, as the options of the command have it."""

    schema: str
    tables: Sequence[str]
    tenant_id: str
    until: int

    @property
    def arguments(self) -> tuple[str, ...]:
        tables = [argument for table in self.tables for argument in ("--projection", table)]
        return ("--to", self.schema, "--tenant", self.tenant_id, "--until", str(self.until), *tables, "--json")


class Replays:
    """Runs one replay; the process ends with the call, however that ends. What was committed is gone on with."""

    def __init__(self, settings: Settings) -> None:
        self._environment = _environment(settings)

    async def run(self, asked: Asked) -> Outcome:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "infra.cli",
            "replay",
            *asked.arguments,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us: it is we who end the process, and say nothing of that
        )
        with suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
        try:
            _, said = await process.communicate()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await asyncio.shield(process.wait())
        if process.returncode and process.returncode != REFUSED:
            _log.error("%s could not be replayed (%s): %s", asked.schema, process.returncode, _last_line(said))
        return "done" if not process.returncode else "refused" if process.returncode == REFUSED else "failed"


async def past_schemas(connection: AsyncConnection[Any]) -> list[str]:
    """Give those that bear such a name: others that only begin like it are somebody's own, and stay."""
    return [row[0] for row in await (await connection.execute(_SCHEMAS)).fetchall()]


async def drop(connection: AsyncConnection[Any], schema: str) -> None:
    """A replay that fills it fails, and is begun again when somebody asks."""
    await connection.execute(_DROP.format(sql.Identifier(schema)))


def _environment(settings: Settings) -> Mapping[str, str]:
    """Say by variables which database it is: arguments can be seen by everybody on the machine."""
    own = {name: value for name, value in os.environ.items() if name != "ORDERFLOW_READY_FILE"}
    own["ORDERFLOW_POSTGRES_DSN"] = settings.postgres_dsn.get_secret_value()
    if settings.vault_file:
        own["ORDERFLOW_VAULT_FILE"] = str(settings.vault_file.absolute())
    return own


def _last_line(said: bytes) -> str:
    """Give the sentence that a command ends with, or the kind of error that it broke with."""
    lines = said.decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
