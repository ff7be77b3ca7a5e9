"""Which request something came from: the id that its answer, its events and its log lines share."""

import re
from typing import Final
from uuid import UUID

from starlette.requests import Request

from schemas.base import Trace
from schemas.ids import new_id

_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_KEY: Final = "orderflow.request_id"


def request_id(request: Request) -> UUID:
    """Give the caller's `X-Request-Id` when it is a UUID, else a new id; the same for the whole request."""
    known = request.scope.get(_KEY)
    if isinstance(known, UUID):
        return known
    given = request.headers.get("x-request-id", "")
    request.scope[_KEY] = found = UUID(given) if _UUID.fullmatch(given) else new_id()
    return found


def trace_of(request: Request) -> Trace:
    """Give what the events of this request carry. A malformed `traceparent` is ignored, as W3C Trace Context asks."""
    parent = request.headers.get("traceparent")
    if parent is not None and not _TRACEPARENT.fullmatch(parent):
        parent = None
    cause = request_id(request)
    return Trace(correlation_id=cause, causation_id=cause, traceparent=parent)
