"""Read the views once they hold the position asked for, a page or a row at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Generic, TypeVar

from psycopg.errors import UndefinedTable
from pydantic import BaseModel, Field

from infra.auth import Caller, Scope
from infra.problems import Problem
from query_api.cursors import Cursors
from query_api.listing import Listing, Pool, R
from query_api.orders import sight
from query_api.parameters import AsOf, Fresh, Paged
from query_api.pasts import PastBeingComputed, Pasts
from query_api.positions import Positions
from query_api.refusals import NOT_FOUND
from schemas.views import FED_BY, Row

SEE_THE_PAST: Final[tuple[Scope, ...]] = ("orders:manage", "operations:read", "stock:manage", "audit:read")
"""One of these is needed, besides what the question needs now: a past is computed for a tenant as a whole."""
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


@dataclass(frozen=True, slots=True)
class Point:
    """Where to read, and up to which position it holds everything."""

    position: int
    schema: str | None = None
    """None where the views are that serve."""


class Reading:
    def __init__(self, pool: Pool, positions: Positions, cursors: Cursors, pasts: Pasts) -> None:
        self.pool = pool
        self._positions = positions
        self._cursors = cursors
        self._pasts = pasts

    @asynccontextmanager
    async def at(self, table: str, by: Caller, asked: Fresh) -> AsyncIterator[Point]:
        """Give the table as it is, or as it was at the instant asked for.

        Raises ReadModelBehind; for a past the 403 problem, NotYetBegun, PastBeingComputed and PastNotComputed.
        """
        if not isinstance(asked, AsOf) or asked.as_of is None:
            yield Point(await self.fresh(table, asked))
            return
        by.require(*SEE_THE_PAST)
        past = await self._pasts.at(by.tenant_id, asked.as_of, within=asked.wait)
        try:
            yield Point(past.position, past.schema)
        except UndefinedTable as dropped:
            raise PastBeingComputed(0) from dropped

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
        """Read one page of a list; a cursor is good for this path alone. Raises CursorRefused, and as `at` does."""
        context = (path, *sight(by), asked.question())
        place = None if asked.cursor is None else self._cursors.open(asked.cursor, context)
        async with self.at(listing.table, by, asked) as point:
            rows, there = await replace(listing, schema=point.schema).page(self.pool, place, asked.limit)
        cursor = None if there is None else self._cursors.seal(there, context)
        body = Page[listing.row].model_construct(items=tuple(rows), next_cursor=cursor)  # type: ignore[name-defined]  # a type that is known at run time
        return Found(body, point.position)

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
