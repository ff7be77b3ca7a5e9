"""What every command carries beside its body: who asks, an idempotency key, the version seen, and the trace."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from starlette.requests import Request

from infra.appender import Once
from infra.auth import Auth, Caller, Scope
from infra.problems import Problem
from infra.rpc.calls import caller, current
from infra.trace import trace_of
from schemas.base import Message, Trace
from write_api.handler import Asked

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_TAG: Final = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS: Final = re.compile(rf"(?:[ \t]*+,)*+[ \t]*+{_TAG}(?:[ \t]*+,(?:[ \t]*+{_TAG})?+)*+[ \t]*+")
"""A list of entity-tags as RFC 9110 writes it; possessive, so that no header takes long."""
_VERSION: Final = re.compile(r'(W/)?"([^"]*)"')
_GIVEN: Final = re.compile("[1-9][0-9]{0,8}")
KEY_MISSING: Final = ("idempotency-key-missing", "Send an Idempotency-Key header, new for each new command.")
KEY_MALFORMED: Final = ("idempotency-key-malformed", "Idempotency-Key must be 1 to 255 visible ASCII characters.")
IF_MATCH_MALFORMED: Final = ("if-match-malformed", 'If-Match must be * or entity-tags in quotes, such as "3".')
"""Kind and detail of each problem with what comes beside the body."""


def _plain(tenant_id: str, asked: bytes) -> bytes:
    del tenant_id
    return sha256(asked).digest()


@dataclass(frozen=True, slots=True)
class Asking:
    caller: Caller
    key: str
    expected_versions: frozenset[int] | None
    trace: Trace
    target: str
    """Method and path: the same key elsewhere is another request."""

    def by(self, body: Message, *, fingerprint: Callable[[str, bytes], bytes] = _plain) -> Asked:
        """Give what the handler needs to know; the identity covers what was sent, with no default filled in.

        `fingerprint` is given the tenant and what was asked; where that is personal, it must need a key.
        """
        asked = f"{self.target}\n{body.model_dump_json(exclude_unset=True)}"
        actor = f"user:{self.caller.subject}"
        tenant_id = self.caller.tenant_id
        once = Once(tenant_id, actor, self.key, fingerprint(tenant_id, asked.encode()))
        return Asked(tenant_id, actor, self.trace, once, self.expected_versions)


def asking(auth: Auth, *scopes: Scope) -> Callable[[Request], Awaitable[Asking]]:
    """Make the dependency of a command's route: one of `scopes` is needed."""
    caller_of = auth.having(*scopes)

    async def of_request(request: Request) -> Asking:
        return Asking(
            caller=await caller_of(request),
            key=key_of(request.headers.getlist("idempotency-key")),
            expected_versions=_expected_versions(request.headers.getlist("if-match")),
            trace=trace_of(request),
            target=f"{request.method} {request.scope['path']}",
        )

    return of_request


def asking_by_call(path: str, *scopes: Scope, keyed: bool = True) -> Asking:
    """Give what the gRPC call that is being served asks with; `path` is where the same command is over HTTP.

    So a key belongs to one command, whichever way it comes again. Not `keyed`: the messages of the call bring the keys.
    """
    call = current()
    key = key_of(call.given("idempotency-key")) if keyed else ""
    return Asking(caller(*scopes), key, _expected_versions(call.given("if-match")), call.trace, f"POST {path}")


def key_of(given: Sequence[str]) -> str:
    """Give the one idempotency key; raises the 400 problem."""
    match list(given):
        case []:
            raise Problem(400, *KEY_MISSING)
        case [key] if _KEY.fullmatch(key):
            return key
        case _:
            raise Problem(400, *KEY_MALFORMED)


def _expected_versions(given: Sequence[str]) -> frozenset[int] | None:
    """Give the versions among the tags of If-Match; a weak tag or one of somebody else's making is none."""
    lines = list(given)
    if lines in ([], ["*"]):
        return None
    tags = ",".join(lines)
    if not _TAGS.fullmatch(tags):
        raise Problem(400, *IF_MATCH_MALFORMED)
    return frozenset(int(tag) for weak, tag in _VERSION.findall(tags) if not weak and _GIVEN.fullmatch(tag))
