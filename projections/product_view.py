"""The catalogue."""

from typing import Final, assert_never

from projections.read_model import EventMissing, Key, ReadModel, its_own_stream
from schemas.events.product import ProductEvent, ProductListed, ProductRepriced, ProductRetired
from schemas.recorded import Recorded
from schemas.views import ProductView


def keys(recorded: Recorded) -> tuple[Key, ...]:
    event = recorded.event
    return ((recorded.tenant_id, event.sku),) if isinstance(event, ProductEvent) else ()


def catalogue(row: ProductView | None, key: Key, recorded: Recorded) -> ProductView | None:
    del key
    event = recorded.event
    if not isinstance(event, ProductEvent):
        return row
    if isinstance(event, ProductListed):
        return _listed(event, recorded)
    if row is None:
        raise EventMissing(recorded)
    changed = {"version": recorded.version, "updated_at": recorded.occurred_at}
    match event:
        case ProductRepriced():
            return row.but({**changed, "price": event.price})
        case ProductRetired():
            return row.but({**changed, "status": "retired"})
    assert_never(event)


def _listed(event: ProductListed, recorded: Recorded) -> ProductView:
    return ProductView(
        sku=event.sku,
        tenant_id=recorded.tenant_id,
        name=event.name,
        description=event.description,
        price=event.price,
        status="listed",
        listed_at=recorded.occurred_at,
        updated_at=recorded.occurred_at,
        version=recorded.version,
    )


PRODUCTS: Final = ReadModel(
    name="products",
    categories=frozenset({"product"}),
    row=ProductView,
    key=("tenant_id", "sku"),
    keys=keys,
    fold=catalogue,
    writers=its_own_stream,
)
