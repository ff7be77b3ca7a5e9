"""Reads request bodies that mean one thing only: bounded, UTF-8, no duplicate members, no number that JSON lacks."""

import json
from collections.abc import Callable, Coroutine
from typing import Any, Final, NoReturn

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from infra.problems import Problem

MAX_DEPTH: Final = 32
MALFORMED: Final = ("malformed-json", "The body must be JSON in UTF-8: no repeated member, no NaN, at most 32 levels.")
"""Kind and detail of the problem with a body that `parse` refuses."""
_LENGTH_DIGITS: Final = 12
_MEDIA_TYPES: Final = frozenset({"application/json", "application/json;charset=utf-8"})


def parse(body: bytes) -> Any:  # noqa: ANN401  # JSON is any value
    """Parse one JSON text; raises ValueError for everything that two readers could take for different values."""
    value = json.loads(body.decode("utf-8"), object_pairs_hook=_members, parse_constant=_no_constant)
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        _measure(value)
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is repeated")
    return members


def _no_constant(_constant: str) -> NoReturn:
    raise ValueError("a number is not finite")


def _measure(value: object, depth: int = 0) -> None:
    if not isinstance(value, dict | list):
        return
    if depth >= MAX_DEPTH:
        raise ValueError("nested too deeply")
    for inner in value.values() if isinstance(value, dict) else value:
        _measure(inner, depth + 1)


class _StrictRequest(Request):
    max_body_bytes: int
    read: bytes | None = None

    async def body(self) -> bytes:
        if self.read is None:
            self.read = await self._bounded()
            if self.read and not self._is_plain_json():
                raise Problem(415)
        return self.read

    async def _bounded(self) -> bytes:
        too_large = Problem(413, headers={"connection": "close"})
        length = self.headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > _LENGTH_DIGITS or int(length) > self.max_body_bytes:
            raise too_large
        body = bytearray()
        async for chunk in self.stream():
            body += chunk
            if len(body) > self.max_body_bytes:
                raise too_large
        return bytes(body)

    async def json(self) -> Any:  # noqa: ANN401  # as in Starlette
        try:
            return parse(await self.body())
        except (ValueError, RecursionError):
            raise Problem(400, *MALFORMED) from None

    def _is_plain_json(self) -> bool:
        types = self.headers.getlist("content-type")
        return (
            len(types) == 1
            and types[0].lower().replace(" ", "").replace('"', "") in _MEDIA_TYPES
            and "content-encoding" not in self.headers
        )


def strict_route(before: Callable[[Request], Coroutine[Any, Any, object]], *, max_body_bytes: int) -> type[APIRoute]:
    """Make the route class of an API: `before` (authentication) is awaited before any byte of the body is read."""

    class StrictRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            answer = super().get_route_handler()

            async def answer_strictly(request: Request) -> Response:
                await before(request)
                strict = _StrictRequest(request.scope, request.receive)
                strict.max_body_bytes = max_body_bytes
                return await answer(strict)

            return answer_strictly

    return StrictRoute
