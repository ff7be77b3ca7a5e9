"""`python -m write_api.openapi` writes docs/openapi/write.json; with `--check` it tells whether that has drifted."""

import sys
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool

from infra.appender import Appender
from infra.auth import Auth
from infra.event_log import EventLog
from infra.jwks import Keys
from infra.openapi import export
from infra.settings import Settings
from write_api.main import build

EXPORT: Final = Path(__file__).parents[1] / "docs" / "openapi" / "write.json"


async def _no_keys() -> bytes:
    return b'{"keys": []}'


def unconnected() -> FastAPI:
    """Give the app for its document alone: nothing is connected to."""
    pool = AsyncConnectionPool("", open=False)
    auth = Auth(Keys(_no_keys), issuer="", audience="")
    return build(Settings(), EventLog(pool), Appender("", pool), auth).app


if __name__ == "__main__":
    sys.exit(export(unconnected(), EXPORT, sys.argv[1:]))
