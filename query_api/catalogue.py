"""Lists of a tenant that are not about one customer: products, stock and the board of processes."""

from typing import Final, LiteralString

from query_api.listing import Condition, Listing
from query_api.parameters import ProcessQuery, ProductQuery, StockQuery
from schemas.views import ProcessBoardEntry, ProductView, StockLevel

_SKU: Final[tuple[LiteralString, LiteralString]] = ("sku", "text")
_BOARD: Final[tuple[tuple[LiteralString, LiteralString], ...]] = (
    ("updated_at", "timestamptz"),
    ("process", "text"),
    ("order_id", "uuid"),
)


def products(tenant_id: str, asked: ProductQuery) -> Listing[ProductView]:
    """The catalogue, by SKU."""
    where = [_of(tenant_id)]
    if asked.status:
        where.append(Condition("status = %s", (asked.status,)))
    return Listing(ProductView, "products", (_SKU,), tuple(where))


def product(tenant_id: str, sku: str) -> Listing[ProductView]:
    """One product, or nothing."""
    return Listing(ProductView, "products", (_SKU,), (_of(tenant_id), Condition("sku = %s", (sku,))))


def stock(tenant_id: str, asked: StockQuery) -> Listing[StockLevel]:
    """Stock levels, by SKU."""
    where = [_of(tenant_id)]
    if asked.available_below is not None:
        where.append(Condition("available < %s", (asked.available_below,)))
    return Listing(StockLevel, "stock_levels", (_SKU,), tuple(where))


def stock_level(tenant_id: str, sku: str) -> Listing[StockLevel]:
    """The stock of one SKU, or nothing."""
    return Listing(StockLevel, "stock_levels", (_SKU,), (_of(tenant_id), Condition("sku = %s", (sku,))))


def processes(tenant_id: str, asked: ProcessQuery) -> Listing[ProcessBoardEntry]:
    """The board of processes, the last changed first."""
    where = [_of(tenant_id)]
    if asked.phase:
        where.append(Condition("phase = ANY(%s)", (list(asked.phase),)))
    if asked.overdue is not None:
        where.append(Condition("overdue = %s", (asked.overdue,)))
    if asked.ended is not None:
        where.append(Condition("(ended_at IS NOT NULL) = %s", (asked.ended,)))
    return Listing(ProcessBoardEntry, "process_board", _BOARD, tuple(where), descending=True)


def _of(tenant_id: str) -> Condition:
    return Condition("tenant_id = %s", (tenant_id,))
