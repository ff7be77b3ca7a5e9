"""`python -m write_api.openapi` writes docs/openapi/write.json; with `--check` it tells whether that has drifted."""

import json
import sys
from pathlib import Path
from typing import Final

from psycopg_pool import AsyncConnectionPool

from infra.appender import Appender
from infra.auth import Auth
from infra.event_log import EventLog
from infra.jwks import Keys
from infra.settings import Settings
from write_api.main import build

EXPORT: Final = Path(__file__).parents[1] / "docs" / "openapi" / "write.json"


async def _no_keys() -> bytes:
    return b'{"keys": []}'


def documented() -> str:
    """Give the document that the API serves at /openapi.json. Nothing is connected to."""
    pool = AsyncConnectionPool("", open=False)
    auth = Auth(Keys(_no_keys), issuer="", audience="")
    api = build(Settings(), EventLog(pool), Appender("", pool), auth)
    return json.dumps(api.app.openapi(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    if "--check" in arguments:
        drifted = not EXPORT.exists() or EXPORT.read_text() != documented()
        sys.stderr.write("docs/openapi/write.json has drifted: run python -m write_api.openapi\n" if drifted else "")
        return int(drifted)
    EXPORT.parent.mkdir(parents=True, exist_ok=True)
    EXPORT.write_text(documented())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
