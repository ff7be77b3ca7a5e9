"""Turn rows into answers: bytes, cursors, and validators so that what has not changed is not sent again."""

from hashlib import blake2b
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from infra.auth import Caller
from infra.problems import Problem
from query_api.cursors import Cursors
from query_api.listing import Listing, Pool, R
from query_api.orders import sight
from query_api.parameters import Fresh, Paged
from query_api.positions import Positions
from schemas.views import FED_BY, Row

T = TypeVar("T", bound=Row)


class Page(BaseModel, Generic[T]):
    items: tuple[T, ...]
    next_cursor: Annotated[str | None, Field(examples=["8fV3rKq0Zc1mQw"])] = None
    """Ask for the next page with it; null on the last page."""

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Name the page after its items, for the OpenAPI document."""
        return f"{params[0].__name__}Page"


class Answers:
    """Waits for the position asked for, reads, and answers with `X-Position`: the view holds everything up to it."""

    def __init__(self, pool: Pool, positions: Positions, cursors: Cursors) -> None:
        self.pool = pool
        self._positions = positions
        self._cursors = cursors

    async def fresh(self, table: str, asked: Fresh) -> int:
        """Wait until the table holds `min_position`; gives its position. Raises ReadModelBehind."""
        read_model = FED_BY[table]
        if asked.min_position is not None:
            await self._positions.reach(read_model, asked.min_position, within=asked.wait)
        return self._positions.of(read_model)

    async def known(self, asked: Fresh) -> None:
        """Raise PositionUnknown when `min_position` is one that no write has answered."""
        if asked.min_position is not None:
            await self._positions.known(asked.min_position)

    async def page(self, request: Request, by: Caller, asked: Paged, listing: Listing[R]) -> Response:
        """Answer with one page of a list. Raises CursorRefused, ReadModelBehind."""
        context = (request.url.path, *sight(by), asked.question())
        place = None if asked.cursor is None else self._cursors.open(asked.cursor, context)
        position = await self.fresh(listing.table, asked)
        rows, there = await listing.page(self.pool, place, asked.limit)
        cursor = None if there is None else self._cursors.seal(there, context)
        body = Page[listing.row].model_construct(items=tuple(rows), next_cursor=cursor)  # type: ignore[name-defined]  # a type that is known at run time
        answer = answered(request, body, position)
        if cursor:
            answer.headers["link"] = f'<{_next(request, cursor)}>; rel="next"'
        return answer

    async def one(self, request: Request, asked: Fresh, listing: Listing[R], kind: str) -> Response:
        """Answer with one row. Raises the 404 problem `kind`, ReadModelBehind."""
        position = await self.fresh(listing.table, asked)
        return answered(request, await self.found(listing, kind), position)

    async def found(self, listing: Listing[R], kind: str) -> R:
        """Give the one row, or raise the 404 problem `kind`, which a row of somebody else gets as well."""
        row = await listing.one(self.pool)
        if row is None:
            raise Problem(404, kind, "There is nothing here that this token may see.")
        return row


def answered(request: Request, body: BaseModel, position: int) -> Response:
    """Answer 200, or 304 when the client already has exactly this."""
    content = body.__pydantic_serializer__.to_json(body)
    tag = f'"{blake2b(content, digest_size=16).hexdigest()}"'
    headers = {"etag": tag, "cache-control": "private, no-cache", "vary": "authorization", "x-position": str(position)}
    if _has(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")


def _has(request: Request, tag: str) -> bool:
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    return tag in known or known == ["*"]


def _next(request: Request, cursor: str) -> str:
    following = request.url.remove_query_params(["min_position", "wait"]).include_query_params(cursor=cursor)
    return f"{following.path}?{following.query}"
