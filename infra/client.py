"""A client of both public APIs, for the command line, the demo and whoever drives a platform from outside."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, Final

import httpx

from schemas.ids import new_id

Json = dict[str, Any]
SECONDS: Final = 10.0
"""How long to wait for one answer, and for a platform that says that it will be back."""
_PAGE: Final = 200
"""The longest page that the query API gives."""
BEING_COMPUTED: Final = "/problems/past-being-computed"


class Refused(Exception):  # noqa: N818 - a state of the world
    """The API answered with a problem document."""

    def __init__(self, status: int, title: str, detail: str, kind: str = "") -> None:
        super().__init__(f"{title}: {detail}" if detail else title)
        self.status = status
        self.detail = detail
        self.kind = kind
        """The type of the problem."""


class Unreachable(Exception):  # noqa: N818 - a state of the world
    """No answer: nobody listens there, or not in time."""


@dataclass(frozen=True, slots=True)
class Api:
    """Speaks for the holder of one token; many may share one connection pool.

    Raises Refused for an answer that is no success, Unreachable without an answer. Comes back by itself after a 503,
    unless that says how far something is that takes long.
    """

    http: httpx.AsyncClient
    write_url: str
    query_url: str
    token: str

    def as_holder_of(self, token: str) -> "Api":
        return replace(self, token=token)

    async def post(self, path: str, body: Json, *, key: str | None = None) -> Json:
        """Send a command to the write API. The same `key` and body again give the same answer."""
        headers = {"idempotency-key": key or str(new_id())}
        return await self._ask("POST", self.write_url + path, headers=headers, body=body)

    async def get(self, path: str, **params: str | int | None) -> Json:
        """Ask the query API; parameters that are None are left out."""
        return await self._ask("GET", self.query_url + path, params=params)

    async def each(self, path: str) -> AsyncIterator[Json]:
        """Give every item of a list of the query API, in its order, a page at a time."""
        cursor = None
        while True:
            page = await self.get(path, limit=_PAGE, cursor=cursor)
            for item in page["items"]:
                yield item
            if (cursor := page["next_cursor"]) is None:
                return

    async def _ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str | int | None] | None = None,
        body: Json | None = None,
    ) -> Json:
        sent = {"authorization": f"Bearer {self.token}", **(headers or {})}
        given = {name: value for name, value in (params or {}).items() if value is not None}
        until = monotonic() + SECONDS
        while True:
            try:
                answer = await self.http.request(method, url, headers=sent, params=given, json=body)
            except httpx.HTTPError as error:
                raise Unreachable(f"{url} does not answer ({type(error).__name__})") from error
            pause = int(answer.headers.get("retry-after", 1))
            is_away = answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and BEING_COMPUTED not in answer.text
            if not is_away or monotonic() + pause > until:
                return _content(answer)
            await asyncio.sleep(pause)


def _content(answer: httpx.Response) -> Json:
    try:
        content: Json = answer.json()
    except ValueError:
        content = {}
    if answer.is_success:
        return content
    title = str(content.get("title") or f"HTTP {answer.status_code}")
    wrong = "; ".join(f"{each['pointer']} {each['detail']}" for each in content.get("errors", ()))
    detail = wrong or str(content.get("detail") or "")
    raise Refused(answer.status_code, title, detail, str(content.get("type") or ""))
