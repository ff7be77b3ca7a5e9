"""Asks a server, by the URL that a setting holds, whether it lets us in and which version it is."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

from infra.local import kafka
from infra.local.cluster_servers import KAFKA, POSTGRESQL, RABBITMQ, VALKEY

SECONDS: Final = 5
UNKNOWN: Final = ""


class NoAnswer(Exception):  # noqa: N818 - says what happened
    """Says why, without the URL: it may hold a password."""


def version_at(name: str, url: str) -> str:
    """Give the version, or UNKNOWN for a server that does not tell; raises NoAnswer."""
    try:
        return _ASKING[name](url)
    except Exception as error:
        # Clients raise whatever they like, and some put the URL into it.
        raise NoAnswer(type(error).__name__) from error


def _postgres(dsn: str) -> str:
    import psycopg  # noqa: PLC0415 - each client only for its server

    with psycopg.connect(dsn, connect_timeout=SECONDS) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return str(row[0]).split()[0] if row else UNKNOWN


def _valkey(url: str) -> str:
    import redis  # noqa: PLC0415

    with redis.Redis.from_url(url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS) as client:
        told = client.info("server")
    return str(told.get("valkey_version") or told.get("redis_version") or UNKNOWN)


def _kafka(servers: str) -> str:
    for server in servers.split(","):
        host, _, port = server.strip().rpartition(":")
        if kafka.answers(host.strip("[]"), int(port)):
            return UNKNOWN
    raise ConnectionError


def _rabbitmq(url: str) -> str:
    return asyncio.run(_asked_rabbitmq(url))


async def _asked_rabbitmq(url: str) -> str:
    import aiormq  # noqa: PLC0415

    # It would tell of a refused connection by itself.
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    async with asyncio.timeout(SECONDS):
        connection = await aiormq.connect(url)
        try:
            return str(connection.server_properties.get("version", UNKNOWN))
        finally:
            await connection.close()


_ASKING: Final[Mapping[str, Callable[[str], str]]] = {
    POSTGRESQL: _postgres,
    VALKEY: _valkey,
    KAFKA: _kafka,
    RABBITMQ: _rabbitmq,
}
