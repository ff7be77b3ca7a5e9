"""What every command carries beside its body: who asks, an idempotency key, the version seen, and the trace."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from starlette.requests import Request

from infra.appender import Once
from infra.auth import Auth, Caller, Scope
from infra.problems import Problem
from infra.trace import trace_of
from schemas.base import Message, Trace
from write_api.handler import Asked

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_ETAG: Final = re.compile(r'"([1-9][0-9]{0,8})"')


@dataclass(frozen=True, slots=True)
class Asking:
    caller: Caller
    key: str
    expected_version: int | None
    trace: Trace
    target: str
    """Method and path: the same key elsewhere is another request."""

    def by(self, body: Message) -> Asked:
        """Give what the handler needs to know; the identity covers what was sent, with no default filled in."""
        asked = f"{self.target}\n{body.model_dump_json(exclude_unset=True)}"
        actor = f"user:{self.caller.subject}"
        once = Once(self.caller.tenant_id, actor, self.key, sha256(asked.encode()).digest())
        return Asked(self.caller.tenant_id, actor, self.trace, once, self.expected_version)


def asking(auth: Auth, *scopes: Scope) -> Callable[[Request], Awaitable[Asking]]:
    """Make the dependency of a command's route: one of `scopes` is needed."""
    caller_of = auth.having(*scopes)

    async def of_request(request: Request) -> Asking:
        return Asking(
            caller=await caller_of(request),
            key=_key(request),
            expected_version=_expected_version(request),
            trace=trace_of(request),
            target=f"{request.method} {request.scope['path']}",
        )

    return of_request


def _key(request: Request) -> str:
    match request.headers.getlist("idempotency-key"):
        case []:
            raise Problem(400, "idempotency-key-missing", "Send an Idempotency-Key header, new for each new command.")
        case [key] if _KEY.fullmatch(key):
            return key
        case _:
            raise Problem(
                400, "idempotency-key-malformed", "Idempotency-Key must be 1 to 255 visible ASCII characters."
            )


def _expected_version(request: Request) -> int | None:
    match request.headers.getlist("if-match"):
        case [] | ["*"]:
            return None
        case [given] if found := _ETAG.fullmatch(given):
            return int(found[1])
        case _:
            raise Problem(400, "if-match-malformed", 'If-Match must be one version as an ETag gave it, such as "3".')
