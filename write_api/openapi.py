"""The OpenAPI document of the API, without any of what it connects to; `make contracts` writes it to docs/openapi."""

from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool

from infra.appender import Appender
from infra.auth import Auth
from infra.event_log import EventLog
from infra.jwks import Keys
from infra.settings import Settings
from infra.signals import Signals
from infra.tenant_keys import TenantKeys
from infra.vault import Vault
from write_api.main import build


async def _no_keys() -> bytes:
    return b'{"keys": []}'


def unconnected() -> FastAPI:
    """Give the app for its document alone: nothing is connected to."""
    pool = AsyncConnectionPool("", open=False)
    auth = Auth(Keys(_no_keys), issuer="", audience="")
    vault = Vault(pool, Signals(""), TenantKeys(b""))
    return build(Settings(), EventLog(pool), Appender("", pool), vault, auth).app
