"""What a person is told when the platform could not start or had to end."""

import errno
from typing import Final

from infra.client import Refused, Unreachable
from infra.local.child import ServerFailed
from infra.migrate import SchemaTooNew
from infra.runtime import NotStarted

_TELLING: Final = (ServerFailed, SchemaTooNew, NotStarted, Refused, Unreachable)
"""Their messages are written for people and hold nothing personal."""


class PartFailed(Exception):  # noqa: N818 - says which part, and why
    """Raised from what happened."""


def explained(error: BaseException) -> str:
    """Give one or two sentences: what happened, and what to do next."""
    first = _first(error)
    part = f"{first}: " if isinstance(first, PartFailed) else ""
    cause = _first(first.__cause__) if isinstance(first, PartFailed) and first.__cause__ else first
    if isinstance(cause, _TELLING):
        return f"{part}{cause}"
    if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE:
        return f"{part}a port was taken in that moment. Start again, or name another port."
    if isinstance(cause, OSError):
        return f"{part}{cause.strerror or type(cause).__name__}. Put that right and start again."
    return f"{part}{type(cause).__name__}. Start again with --verbose to see where, and `orderflow doctor` to see why."


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
