"""Read the views once they hold the position asked for, a page or a row at a time."""

from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, Field

from infra.auth import Caller
from infra.problems import Problem
from query_api.cursors import Cursors
from query_api.listing import Listing, Pool, R
from query_api.orders import sight
from query_api.parameters import Fresh, Paged
from query_api.positions import Positions
from query_api.refusals import NOT_FOUND
from schemas.views import FED_BY, Row

T = TypeVar("T", bound=Row)
B_co = TypeVar("B_co", bound=BaseModel, covariant=True)


class Page(BaseModel, Generic[T]):
    items: tuple[T, ...]
    next_cursor: Annotated[str | None, Field(examples=["8fV3rKq0Zc1mQw"])] = None
    """Ask for the next page with it; null on the last page."""

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Name the page after its items, for the OpenAPI document."""
        return f"{params[0].__name__}Page"


@dataclass(frozen=True, slots=True)
class Found(Generic[B_co]):
    """An answer from a view that holds everything up to `position`."""

    body: B_co
    position: int


class Reading:
    def __init__(self, pool: Pool, positions: Positions, cursors: Cursors) -> None:
        self.pool = pool
        self._positions = positions
        self._cursors = cursors

    async def fresh(self, table: str, asked: Fresh) -> int:
        """Wait until the table holds `min_position`; gives its position. Raises ReadModelBehind."""
        read_model = FED_BY.get(table)
        if read_model is None:  # written by this API itself, and never behind
            await self.known(asked.min_position)
            return asked.min_position or 0
        if asked.min_position is not None:
            await self._positions.reach(read_model, asked.min_position, within=asked.wait)
        return self._positions.of(read_model)

    async def known(self, position: int | None) -> None:
        """Raise PositionUnknown for a position that no write has answered."""
        if position is not None:
            await self._positions.known(position)

    async def page(self, path: str, by: Caller, asked: Paged, listing: Listing[R]) -> Found[Page[R]]:
        """Read one page of a list; a cursor is good for this path alone. Raises CursorRefused, ReadModelBehind."""
        context = (path, *sight(by), asked.question())
        place = None if asked.cursor is None else self._cursors.open(asked.cursor, context)
        position = await self.fresh(listing.table, asked)
        rows, there = await listing.page(self.pool, place, asked.limit)
        cursor = None if there is None else self._cursors.seal(there, context)
        body = Page[listing.row].model_construct(items=tuple(rows), next_cursor=cursor)  # type: ignore[name-defined]  # a type that is known at run time
        return Found(body, position)

    async def one(self, asked: Fresh, listing: Listing[R], kind: str) -> Found[R]:
        """Read one row. Raises the 404 problem `kind`, ReadModelBehind."""
        position = await self.fresh(listing.table, asked)
        return Found(await self.found(listing, kind), position)

    async def found(self, listing: Listing[R], kind: str) -> R:
        """Give the one row, or raise the 404 problem `kind`, which a row of somebody else gets as well."""
        row = await listing.one(self.pool)
        if row is None:
            raise Problem(404, kind, NOT_FOUND)
        return row
