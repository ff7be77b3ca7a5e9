"""Who asks a question, and for auditors also why: the reason comes beside the query, the same way on both edges."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Annotated, Final

from pydantic import AfterValidator, TypeAdapter, ValidationError
from starlette.requests import Request

from infra.auth import Auth, Caller, Scope
from infra.problems import Problem
from infra.rpc.calls import caller, current
from query_api.refusals import REASON_MALFORMED
from schemas.base import LongText

FEWEST: Final = 10
MOST: Final = 500
"""Characters of a reason."""
HEADER: Final = "reveal-reason"


def _says_something(text: str) -> str:
    if len(text) < FEWEST:
        raise ValueError("is too short to be a reason")
    return text


_REASON: Final[TypeAdapter[str]] = TypeAdapter(Annotated[LongText, AfterValidator(_says_something)])


def viewing(auth: Auth, *scopes: Scope) -> Callable[[Request], Awaitable[Caller]]:
    """Make the dependency of a question's route: one of `scopes` is needed, or `audit:read`; without any, any token."""
    known = auth.having(*scopes, "audit:read") if scopes else auth.of_request

    async def of_request(request: Request) -> Caller:
        return _with_reason(await known(request), request.headers.getlist(HEADER))

    return of_request


def viewer(*scopes: Scope) -> Caller:
    """Give who makes the call that is being served; otherwise as `viewing`."""
    known = caller(*scopes, "audit:read") if scopes else caller()
    return _with_reason(known, current().given(HEADER))


def _with_reason(known: Caller, given: Sequence[str]) -> Caller:
    """Raises the 400 problem for what is no reason, whoever gives it."""
    match list(given):
        case []:
            return known
        case [text]:
            return replace(known, reason=_reason(text))
        case _:
            raise Problem(400, *REASON_MALFORMED)


def _reason(text: str) -> str:
    """Read UTF-8, which a header holds as bytes."""
    try:
        return _REASON.validate_python(text.encode("latin-1").decode())
    except (UnicodeError, ValidationError):
        raise Problem(400, *REASON_MALFORMED) from None
