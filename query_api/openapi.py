"""`python -m query_api.openapi` writes docs/openapi/query.json; with `--check` it tells whether that has drifted."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis

from infra.auth import Auth
from infra.event_log import EventLog
from infra.feed import Feed
from infra.jwks import Keys
from infra.openapi import export
from infra.settings import Settings
from infra.signals import Signals
from query_api.answers import Answers
from query_api.console.pages import Console
from query_api.cursors import Cursors
from query_api.main import build
from query_api.notices import Notices
from query_api.positions import Positions
from query_api.stream import Streams

EXPORT: Final = Path(__file__).parents[1] / "docs" / "openapi" / "query.json"


async def _no_keys() -> bytes:
    return b'{"keys": []}'


def unconnected() -> FastAPI:
    """Give the app for its document alone: nothing is connected to."""
    pool, signals, cursors = AsyncConnectionPool("", open=False), Signals(""), Cursors(Settings().cursor_secret)
    positions, log = Positions(pool, signals), EventLog(pool)
    notices = Notices(Feed(log, signals), log, pool, positions)
    console = Console(None, "", pool, Redis(), lambda: datetime.now(UTC))
    auth = Auth(Keys(_no_keys), issuer="", audience="")
    return build(Answers(pool, positions, cursors), Streams(notices, cursors), console, auth)


if __name__ == "__main__":
    sys.exit(export(unconnected(), EXPORT, sys.argv[1:]))
