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
    request.scope[_KEY] = found = id_given(request.headers.get("x-request-id"))
    return found


def trace_of(request: Request) -> Trace:
    """Give what the events of this request carry."""
    return trace_given(request_id(request), request.headers.get("traceparent"))


def id_given(text: str | None) -> UUID:
    """Give the id of a request that said `text`: that, when it is a UUID, else a new one."""
    return UUID(text) if text and _UUID.fullmatch(text) else new_id()


def trace_given(cause: UUID, parent: str | None) -> Trace:
    """Give what the events carry; a malformed `traceparent` is ignored, as W3C Trace Context asks."""
    if parent is not None and not _TRACEPARENT.fullmatch(parent):
        parent = None
    return Trace(correlation_id=cause, causation_id=cause, traceparent=parent)
