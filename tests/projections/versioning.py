"""Read models as the live projector leaves them, and commands about them, for the tests of their versions."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection

from infra.event_log import Stored
from infra.guard import Guard
from projections.main import READ_MODELS, SHOP_FIGURES, order_views
from projections.projector import Projector
from projections.versions.reading import Steps
from schemas.views import FED_BY
from tests.running import command, environment
from tests.vault import unconnected, vault_file, with_words

PREPARED = Steps(prepare=unconnected().findable)


async def apply(connection: AsyncConnection[Any], log: Sequence[Stored], *, reached: int) -> None:
    """Do what the live projector does, in one transaction per subscription."""
    for subscription in (order_views(None), SHOP_FIGURES):
        wanted = [stored for stored in log if stored.category in subscription.categories]
        projector = Projector(*(model for model in READ_MODELS if FED_BY[model.name] == subscription.name))
        async with connection.transaction():
            guard = Guard(connection, subscription.name)
            await guard.open(reached)
            await projector.apply(connection, with_words(wanted))
            await guard.applied({stored.stream_id: stored.version for stored in wanted})


def run(dsn: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = {**environment(folder), "ORDERFLOW_POSTGRES_DSN": dsn, "ORDERFLOW_VAULT_FILE": str(vault_file())}
    return subprocess.run(command(*arguments), env=settings, capture_output=True, text=True, timeout=60, check=False)
