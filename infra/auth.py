"""Who is asking: access tokens (JWT, RFC 9068) to callers. Keys and tokens for one's own machine: `infra.issuer`."""

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import time
from typing import Annotated, Final, Literal, get_args
from uuid import UUID, uuid5

import jwt
from jwt.api_jws import PyJWS
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.requests import Request

from infra.jwks import Keys
from infra.problems import Problem
from infra.settings import Settings
from infra.strict_json import parse
from schemas.base import TenantId

Scope = Literal[
    "orders:write",
    "orders:read",
    "orders:manage",
    "catalogue:manage",
    "stock:manage",
    "payments:refund",
    "customers:erase",
    "operations:read",
    "audit:read",
]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
LEEWAY: Final = 10
"""Seconds that the issuer's clock may differ from ours."""
_CUSTOMERS: Final = UUID("1c7d9f0e-5a39-4d2c-9f55-9f1d4f0f5b60")
_MAX_TOKEN: Final = 8_192
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
_REMEMBERED: Final = 1_024
_REMEMBERED_SECONDS: Final = 60
_CHALLENGE: Final = {"www-authenticate": 'Bearer realm="orderflow"'}

Subject = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,94}$")]
Seconds = Annotated[int, Field(ge=0, le=2**40)]


class _Claims(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    iss: str
    aud: str | list[str]
    exp: Seconds
    iat: Seconds
    nbf: Seconds = 0
    sub: Subject
    tenant: TenantId
    scope: Annotated[str, StringConstraints(max_length=1_000)]
    customer_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who it is comes from a verified token, never from a body."""

    tenant_id: str
    subject: str
    customer_id: UUID
    scopes: frozenset[str]
    reason: str | None = None
    """Why an auditor asks to be shown contacts; comes with the request, and means nothing from anybody else."""

    @property
    def audits(self) -> bool:
        """Sees by `audit:read`: the whole tenant, contacts masked, looks recorded. `orders:manage` wins over it."""
        return "audit:read" in self.scopes and "orders:manage" not in self.scopes

    def require(self, *scopes: Scope) -> None:
        """Raise the 403 problem unless the token carries one of `scopes`."""
        if self.scopes.isdisjoint(scopes):
            asked = " ".join(scopes)
            challenge = f'Bearer realm="orderflow", error="insufficient_scope", scope="{asked}"'
            raise Problem(403, headers={"www-authenticate": challenge})


class Auth:
    """Verifies tokens. A verified one is remembered for up to a minute, so a retired key works that much longer."""

    def __init__(self, keys: Keys, *, issuer: str, audience: str, now: Callable[[], float] = time) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._now = now
        self._remembered: OrderedDict[str, tuple[float, Caller]] = OrderedDict()

    @classmethod
    def of_settings(cls, settings: Settings) -> "Auth":
        """Verify with the keys that the settings name; raises ValueError when they name none."""
        return cls(Keys.of_settings(settings), issuer=settings.jwt_issuer, audience=settings.jwt_audience)

    async def of_request(self, request: Request) -> Caller:
        """Give the caller, or raise the 401 problem. A dependency of FastAPI."""
        if b"access_token" in request.scope["query_string"]:
            raise Problem(401, headers=_CHALLENGE)
        return await self.of_authorization(request.headers.getlist("authorization"))

    async def of_authorization(self, given: Sequence[str]) -> Caller:
        """Give the caller that the only `authorization` header or metadata names, or raise the 401 problem."""
        if len(given) != 1:
            raise Problem(401, headers=_CHALLENGE)
        scheme, _, token = given[0].partition(" ")
        if scheme.lower() != "bearer":
            raise Problem(401, headers=_CHALLENGE)
        return await self.of_token(token)

    def having(self, *scopes: Scope) -> Callable[[Request], Awaitable[Caller]]:
        """Make the dependency that gives a caller who has one of `scopes`, or raises the 401 or 403 problem."""

        async def of_request(request: Request) -> Caller:
            caller = await self.of_request(request)
            caller.require(*scopes)
            return caller

        return of_request

    async def of_token(self, token: str) -> Caller:
        """Give the caller that a token stands for; raises the 401 problem, which never says what was wrong with it."""
        until, caller = self._remembered.get(token, (0.0, None))
        now = self._now()
        if caller is not None and now < until:
            return caller
        claims = await self._verified(token)
        if claims is None or not self._is_meant_for_us(claims, now):
            self._remembered.pop(token, None)
            raise Problem(401, headers={"www-authenticate": f'{_CHALLENGE["www-authenticate"]}, error="invalid_token"'})
        caller = _caller(claims)
        self._remembered[token] = (min(claims.exp + LEEWAY, now + _REMEMBERED_SECONDS), caller)
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return caller

    async def _verified(self, token: str) -> _Claims | None:
        if len(token) > _MAX_TOKEN or not _TOKEN.fullmatch(token):
            return None
        try:
            header = jwt.get_unverified_header(token)
            key = await self._keys.find(header.get("kid"))
            if key is None or str(header.get("typ")).lower() not in _TYPES:
                return None
            decoded = PyJWS().decode_complete(token, key, algorithms=[key.algorithm_name])
            parse(decoded["payload"])
            return _Claims.model_validate_json(decoded["payload"])
        except (jwt.PyJWTError, ValidationError, ValueError, RecursionError):
            return None

    def _is_meant_for_us(self, claims: _Claims, now: float) -> bool:
        audiences = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        begins = max(claims.nbf, claims.iat)
        in_time = begins - LEEWAY <= now < claims.exp + LEEWAY
        return in_time and claims.iss == self._issuer and self._audience in audiences


def _caller(claims: _Claims) -> Caller:
    customer_id = claims.customer_id or uuid5(_CUSTOMERS, f"{claims.tenant}/{claims.sub}")
    return Caller(claims.tenant, claims.sub, customer_id, frozenset(claims.scope.split(" ")))
