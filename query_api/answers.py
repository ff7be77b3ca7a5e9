"""Turn what was found into HTTP answers: bytes and validators, so that what has not changed is not sent again."""

from hashlib import blake2b

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from query_api.audit.viewers import HEADER
from query_api.reading import Found, Page


def answered(request: Request, found: Found[BaseModel]) -> Response:
    """Answer 200, or 304 when the client already has exactly this. Caches keep nothing that a reason revealed."""
    content = found.body.__pydantic_serializer__.to_json(found.body)
    tag = f'"{blake2b(content, digest_size=16).hexdigest()}"'
    headers = {
        "etag": tag,
        "cache-control": "private, no-store" if HEADER in request.headers else "private, no-cache",
        "vary": "authorization, reveal-reason",
        "x-position": str(found.position),
    }
    if isinstance(found.body, Page) and found.body.next_cursor:
        headers["link"] = f'<{_next(request, found.body.next_cursor)}>; rel="next"'
    if _has(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")


def _has(request: Request, tag: str) -> bool:
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    return tag in known or known == ["*"]


def _next(request: Request, cursor: str) -> str:
    following = request.url.remove_query_params(["min_position", "wait"]).include_query_params(cursor=cursor)
    return f"{following.path}?{following.query}"
