"""Which orders a caller sees, and the list of them."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final, LiteralString
from uuid import UUID

from infra.auth import Caller
from infra.tenant_keys import TenantKeys
from query_api.listing import Condition, Listing
from query_api.parameters import OrderQuery
from schemas.search import search_query
from schemas.views import CustomerHistory, OrderDetail, OrderSummary, TimelineEntry

_SORTED_BY: Final[dict[str, tuple[LiteralString, LiteralString]]] = {
    "placed_at": ("placed_at", "timestamptz"),
    "updated_at": ("updated_at", "timestamptz"),
    "total": ("total_amount", "bigint"),
}
_ORDER_ID: Final[tuple[LiteralString, LiteralString]] = ("order_id", "uuid")
_KNOWN: Final = Condition("version > 0")


def sees_all(caller: Caller) -> bool:
    """Tell whether the caller sees every order of the tenant, or else only the orders of one customer."""
    return "orders:manage" in caller.scopes or caller.audits


def seen_by(caller: Caller) -> tuple[Condition, ...]:
    """Give the conditions that hide every order that is not the caller's to see."""
    tenant = Condition("tenant_id = %s", (caller.tenant_id,))
    if sees_all(caller):
        return (tenant,)
    return (tenant, Condition("customer_id = %s", (caller.customer_id,)))


def sight(caller: Caller) -> tuple[str, str]:
    """Name what the caller sees; a cursor is good for that alone."""
    return caller.tenant_id, "all" if sees_all(caller) else str(caller.customer_id)


def orders(caller: Caller, asked: OrderQuery, tenants: TenantKeys) -> Listing[OrderSummary]:
    """Order list with the filters asked for."""
    key = _SORTED_BY[asked.sort.removeprefix("-")]
    where = (*seen_by(caller), _KNOWN, *_filters(asked, partial(tenants.blind, caller.tenant_id)))
    return Listing(OrderSummary, "order_summaries", (key, _ORDER_ID), where, descending=asked.sort.startswith("-"))


def order(caller: Caller, order_id: UUID) -> Listing[OrderDetail]:
    """One order, or nothing."""
    where = (*seen_by(caller), _KNOWN, Condition("order_id = %s", (order_id,)))
    return Listing(OrderDetail, "order_details", (_ORDER_ID,), where)


def timeline(order_id: UUID, tenant_id: str) -> Listing[TimelineEntry]:
    """What happened to an order; the caller has been found to see the order."""
    where = (Condition("order_id = %s", (order_id,)), Condition("tenant_id = %s", (tenant_id,)))
    return Listing(TimelineEntry, "order_timeline", (("position", "bigint"),), where)


def customer(caller: Caller, customer_id: UUID) -> Listing[CustomerHistory]:
    """What one customer has ordered in total, or nothing."""
    where = (*seen_by(caller), Condition("customer_id = %s", (customer_id,)))
    return Listing(CustomerHistory, "customer_histories", (("customer_id", "uuid"),), where)


def any_of_customer(caller: Caller, customer_id: UUID) -> Listing[OrderSummary]:
    """One order of a customer, or nothing."""
    where = (*seen_by(caller), _KNOWN, Condition("customer_id = %s", (customer_id,)))
    return Listing(OrderSummary, "order_summaries", (_ORDER_ID,), where)


def of_customer(listing: Listing[OrderSummary], customer_id: UUID) -> Listing[OrderSummary]:
    """Narrow a list down to one customer."""
    return replace(listing, where=(*listing.where, Condition("customer_id = %s", (customer_id,))))


def _filters(asked: OrderQuery, blind: Callable[[str], str]) -> list[Condition]:
    found: list[Condition] = []
    if asked.status:
        found.append(Condition("status = ANY(%s)", (list(asked.status),)))
    if asked.payment_status:
        found.append(Condition("payment_status = ANY(%s)", (list(asked.payment_status),)))
    if asked.customer_id:
        found.append(Condition("customer_id = %s", (asked.customer_id,)))
    if asked.q:
        found.append(Condition("search @@ %s::tsquery", (search_query(asked.q, blind),)))
    if asked.placed_from:
        found.append(Condition("placed_at >= %s", (asked.placed_from,)))
    if asked.placed_to:
        found.append(Condition("placed_at < %s", (asked.placed_to,)))
    return found
