"""Questions about the past, answered from the log itself, so they wait for no read model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeVar
from uuid import UUID

from pydantic import StringConstraints, TypeAdapter, ValidationError

from infra.auth import Caller, Scope
from infra.event_log import EventLog
from infra.problems import Problem
from query_api.audit.looking import look
from query_api.audit.record import Looks
from query_api.history.answers import Difference, PastState
from query_api.history.difference import changes
from query_api.history.states import Point, Snapshot, Walk, plain
from query_api.orders import sees_all
from query_api.parameters import DiffQuery, StateQuery
from query_api.reading import Found, Reading
from query_api.refusals import NOT_FOUND
from schemas.base import Sku
from schemas.events.order import OrderPlaced
from schemas.ids import payment_id, product_id, stock_id

T = TypeVar("T")
Kind = Literal["orders", "payments", "products", "stock"]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""An order's id, also for its payment; a SKU for the other kinds."""
_READERS: Final[Mapping[Kind, tuple[Scope, ...]]] = {
    "orders": ("orders:read", "orders:manage", "audit:read"),
    "payments": ("orders:read", "orders:manage", "audit:read"),
    "products": (),
    "stock": ("operations:read", "stock:manage", "audit:read"),
}
"""One of these scopes is needed; for products, any token will do."""
_SINGULAR: Final[Mapping[Kind, str]] = {
    "orders": "order",
    "payments": "payment",
    "products": "product",
    "stock": "stock",
}
_UUID: Final[TypeAdapter[UUID]] = TypeAdapter(UUID)
_SKU: Final[TypeAdapter[str]] = TypeAdapter(Sku)
_FIRST: Final = Point(version=1)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about."""

    kind: Kind
    key: str

    @property
    def order_id(self) -> UUID | None:
        """The order that it is about, if it is known to be about one."""
        return _key(_UUID, self.key) if self.kind in ("orders", "payments") else None


class PastQuestions:
    """A customer asks about the own orders and their payments, staff about everything of the tenant.

    Raises the 403, 404 and 422 problems, VersionNotReached and NotYetBegun.
    """

    def __init__(self, reading: Reading, log: EventLog, looks: Looks) -> None:
        self._reading = reading
        self.looks = looks
        self._log = log

    @look("/v1/{subject.kind}/{subject.key}/state")
    async def state(self, by: Caller, subject: Subject, asked: StateQuery) -> Found[PastState]:
        (found,) = await self._past(by, subject, [Point(asked.at_version, asked.as_of)], asked.min_position)
        return Found(PastState.of(found), found.position)

    @look("/v1/{subject.kind}/{subject.key}/diff")
    async def difference(self, by: Caller, subject: Subject, asked: DiffQuery) -> Found[Difference]:
        points = [Point(asked.from_version, asked.from_as_of), Point(asked.to_version, asked.to_as_of)]
        before, after = await self._past(by, subject, points, asked.min_position)
        found = tuple(changes(plain(before.state), plain(after.state)))
        return Found(Difference.of(before, after, found), max(before.position, after.position))

    async def _past(
        self, by: Caller, subject: Subject, points: Sequence[Point], min_position: int | None
    ) -> list[Snapshot]:
        if scopes := _READERS[subject.kind]:
            by.require(*scopes)
        await self._reading.known(min_position)
        if subject.kind in ("products", "stock"):
            stream_of = product_id if subject.kind == "products" else stock_id
            stream_id = stream_of(by.tenant_id, _key(_SKU, subject.key))
            return (await self._of_tenant(by, subject.kind, stream_id, points)).found()
        order_id = _key(_UUID, subject.key)
        if subject.kind == "orders":
            return (await self._own(by, order_id, points)).found()
        await self._own(by, order_id, [_FIRST])
        return (await self._of_tenant(by, "payments", payment_id(order_id), points)).found()

    async def _own(self, by: Caller, order_id: UUID, points: Sequence[Point]) -> Walk:
        """Walk an order; one that is not the caller's to see looks as if there were none."""
        walk = await self._of_tenant(by, "orders", order_id, points)
        placed = walk.first and walk.first.event
        if not isinstance(placed, OrderPlaced) or not (sees_all(by) or placed.customer_id == by.customer_id):
            raise _not_found("orders")
        return walk

    async def _of_tenant(self, by: Caller, kind: Kind, stream_id: UUID, points: Sequence[Point]) -> Walk:
        """Walk a stream; one of another tenant looks as if there were none."""
        walk = Walk(points)
        async for page in self._log.pages(stream_id):
            if page[0].category != _SINGULAR[kind] or page[0].recorded.tenant_id != by.tenant_id:
                raise _not_found(kind)
            walk.on((stored.position, stored.recorded) for stored in page)
            if walk.done:
                break
        if walk.first is None:
            raise _not_found(kind)
        return walk


def _not_found(kind: Kind) -> Problem:
    return Problem(404, f"{_SINGULAR[kind]}-not-found", NOT_FOUND)


def _key(form: TypeAdapter[T], key: str) -> T:
    try:
        return form.validate_strings(key)
    except ValidationError:
        raise Problem(422, errors=[("path/key", "is not what this kind of thing is known by")]) from None
