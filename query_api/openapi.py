"""The OpenAPI document of the API, without any of what it connects to; `make contracts` writes it to docs/openapi."""

from datetime import UTC, datetime

from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis

from infra.auth import Auth
from infra.event_log import EventLog
from infra.feed import Feed
from infra.jwks import Keys
from infra.replaying import Replays
from infra.settings import Settings
from infra.signals import Signals
from infra.tenant_keys import TenantKeys
from infra.vault import Vault
from query_api.audit.record import Looks
from query_api.console.pages import Console
from query_api.contacts import Contacts
from query_api.cursors import Cursors
from query_api.main import build
from query_api.notices import Notices
from query_api.pasts import Pasts
from query_api.positions import Positions
from query_api.reading import Reading
from query_api.stream import Streams


async def _no_keys() -> bytes:
    return b'{"keys": []}'


def _now() -> datetime:
    return datetime.now(UTC)


def unconnected() -> FastAPI:
    """Give the app for its document alone: nothing is connected to."""
    pool, signals, cursors = AsyncConnectionPool("", open=False), Signals(""), Cursors(Settings().cursor_secret)
    positions, log = Positions(pool, signals), EventLog(pool)
    notices = Notices(Feed(log, signals), log, pool, positions)
    contacts = Contacts(Vault(pool, signals, TenantKeys(b"")))
    reading = Reading(pool, positions, cursors, Pasts(pool, Replays(Settings())))
    console = Console(None, "", pool, Redis(), contacts, _now)
    auth = Auth(Keys(_no_keys), issuer="", audience="")
    return build(reading, log, Streams(notices, cursors, Looks(pool, _now)), console, auth).app
