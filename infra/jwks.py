"""The public keys that tokens are verified with, from a file or from the issuer's URL."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic
from typing import Final

import httpx
import jwt
import structlog

from infra.runtime import NotStarted
from infra.settings import Settings

ALGORITHMS: Final = frozenset({"RS256", "ES256", "EdDSA"})
_REFRESH_SECONDS: Final = 60
_FETCH_SECONDS: Final = 5
_MAX_KEY_ID: Final = 256
_LOG: Final = structlog.get_logger()

Fetch = Callable[[], Awaitable[bytes]]


class Keys:
    """A JWK set, read again at most once a minute, and only to see new or retired keys.

    When the set cannot be read the last one that could stays in use: an issuer that is down locks nobody out.
    """

    def __init__(self, fetch: Fetch, now: Callable[[], float] = monotonic) -> None:
        self._fetch = fetch
        self._now = now
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at: float | None = None
        self._reading = asyncio.Lock()

    @classmethod
    def of_settings(cls, settings: Settings) -> "Keys":
        """Take the keys from where the settings say; raises NotStarted when they say nothing."""
        if settings.jwks_file is not None:
            return cls(_file(settings.jwks_file))
        if settings.jwks_url is not None:
            return cls(_url(settings.jwks_url))
        raise NotStarted(
            "Tokens are verified with the keys of their issuer: set ORDERFLOW_JWKS_URL or ORDERFLOW_JWKS_FILE."
        )

    async def find(self, key_id: object) -> jwt.PyJWK | None:
        """Give the key of that id, or nothing. An unknown id makes the set be read again once a minute at most."""
        if not isinstance(key_id, str) or len(key_id) > _MAX_KEY_ID:
            return None
        if self._is_old() and not (key_id in self._keys and self._reading.locked()):
            async with self._reading:
                if self._is_old():
                    await self._read()
        return self._keys.get(key_id)

    def _is_old(self) -> bool:
        return self._read_at is None or self._now() - self._read_at >= _REFRESH_SECONDS

    async def _read(self) -> None:
        try:
            self._keys = _usable(await self._fetch())
        except (OSError, httpx.HTTPError, ValueError) as unreadable:
            _LOG.warning("jwks_unreadable", kind=type(unreadable).__name__)
        self._read_at = self._now()


def _usable(document: bytes) -> dict[str, jwt.PyJWK]:
    """Keep the signature keys of our algorithms. A key never serves another algorithm than its own."""
    try:
        keys = jwt.PyJWKSet.from_dict(json.loads(document)).keys
    except (jwt.PyJWTError, AttributeError) as malformed:
        raise ValueError("not a JWK set") from malformed
    return {
        key.key_id: key
        for key in keys
        if key.key_id and key.algorithm_name in ALGORITHMS and key.public_key_use in (None, "sig")
    }


def _file(path: Path) -> Fetch:
    async def read() -> bytes:
        return await asyncio.to_thread(path.read_bytes)

    return read


def _url(url: str) -> Fetch:
    async def get() -> bytes:
        async with httpx.AsyncClient(timeout=_FETCH_SECONDS) as client:
            answer = await client.get(url)
        return answer.raise_for_status().content

    return get
