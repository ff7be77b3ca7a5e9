"""One order, as every answer of the API shows it: the examples of the OpenAPI document."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel

from infra.openapi import HEALTH
from query_api.audit.examples import LOOK
from query_api.history.examples import PAST, STORY
from query_api.history.story_parts import Timeline
from query_api.notices import Change
from query_api.sales import ByProduct, Daily, DaySales, Hourly, HourSales, ProductSales
from schemas.events.order import Contact, Pick
from schemas.money import Money
from schemas.views import (
    CustomerHistory,
    Dashboard,
    DetailLine,
    MinuteCount,
    OrderDetail,
    OrderSummary,
    PaymentDetail,
    ProcessBoardEntry,
    ProductView,
    RecentOrder,
    Revenue,
    Row,
    Shipment,
    StockLevel,
    TimelineEntry,
)

_AT: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
_LATER: Final = _AT + timedelta(hours=2)
_ORDER: Final = UUID("01981d3c-7cf8-7a10-8d4c-6f9619ff8b86")
_CUSTOMER: Final = UUID("8e511fda-fc4d-5b72-b3e2-e88b12c125c7")
_REQUEST: Final = UUID("01981d3c-7cf0-7b20-9c3d-2f1e0d9c8b7a")
_SKU: Final = "BEANS-MINAS-250"
_NAME: Final = "Minas Gerais, natural, 250 g"
_TOTAL: Final = Money(amount=1900, currency="EUR")
_TENANT: Final = "roastery"

_ROWS: Final[tuple[Row, ...]] = (
    OrderSummary(
        tenant_id=_TENANT,
        position=57,
        order_id=_ORDER,
        customer_id=_CUSTOMER,
        customer_name="Marta Vidigal",
        status="shipped",
        payment_status="captured",
        total_amount=1900,
        currency="EUR",
        line_count=1,
        item_count=2,
        shipped_count=2,
        first_line=_NAME,
        placed_at=_AT,
        updated_at=_LATER,
        shipped_at=_LATER,
        search_text="",
        version=3,
    ),
    TimelineEntry(
        tenant_id=_TENANT,
        position=42,
        order_id=_ORDER,
        event_id=UUID("01981d3c-7cf9-7c31-8e5d-7f8a9b0c1d2e"),
        kind="order.placed.v2",
        category="order",
        version=1,
        occurred_at=_AT,
        actor="user:marta",
        correlation_id=_REQUEST,
        causation_id=_REQUEST,
        facts={"total": {"amount": 1900, "currency": "EUR"}},
    ),
    ProductView(
        tenant_id=_TENANT,
        position=12,
        sku=_SKU,
        name=_NAME,
        description=None,
        price=Money(amount=950, currency="EUR"),
        status="listed",
        listed_at=_AT,
        updated_at=_AT,
        version=1,
    ),
    StockLevel(
        tenant_id=_TENANT, position=43, sku=_SKU, on_hand=100, reserved=2, available=98, updated_at=_AT, version=4
    ),
    ProcessBoardEntry(
        process="order_fulfilment",
        order_id=_ORDER,
        tenant_id=_TENANT,
        phase="awaiting_delivery",
        waiting_for="delivery",
        deadline_at=_LATER + timedelta(days=30),
        started_at=_AT,
        updated_at=_LATER,
        ended_at=None,
        overdue=False,
    ),
    LOOK,
)
_WHOLE: Final[tuple[BaseModel, ...]] = (
    OrderDetail(
        tenant_id=_TENANT,
        position=57,
        order_id=_ORDER,
        customer_id=_CUSTOMER,
        contact=Contact(
            name="Marta Vidigal", email="marta@mail.example", address="Rua das Oliveiras 12, 4050-449 Porto"
        ),
        locale="pt",
        status="shipped",
        lines=(DetailLine(sku=_SKU, name=_NAME, quantity=2, unit_price=950, shipped=2),),
        total_amount=1900,
        currency="EUR",
        payment=PaymentDetail(status="captured", authorised=1900, captured=1900),
        shipments=(
            Shipment(
                shipment_id=UUID("01981d3d-1a2b-7c3d-8e4f-5a6b7c8d9e0f"),
                carrier="Correio Expresso",
                tracking="CX123",
                picks=(Pick(sku=_SKU, quantity=2),),
                amount=_TOTAL,
                shipped_at=_LATER,
            ),
        ),
        placed_at=_AT,
        confirmed_at=_AT,
        updated_at=_LATER,
        version=3,
    ),
    CustomerHistory(
        customer_id=_CUSTOMER,
        tenant_id=_TENANT,
        orders=1,
        open_orders=1,
        delivered_orders=0,
        cancelled_orders=0,
        spent=(_TOTAL,),
        first_placed_at=_AT,
        last_placed_at=_AT,
        position=57,
    ),
    Hourly(items=(HourSales(hour=_AT, currency="EUR", orders=1, items=2, revenue=1900),)),
    Daily(items=(DaySales(day=date(2026, 3, 2), currency="EUR", orders=1, items=2, revenue=1900),)),
    ByProduct(items=(ProductSales(sku=_SKU, name=_NAME, currency="EUR", orders=1, quantity=2, revenue=1900),)),
    Dashboard(
        position=57,
        orders_per_minute=(MinuteCount(minute=_AT, orders=1),),
        orders_by_status={
            "placed": 0,
            "confirmed": 0,
            "partly_shipped": 0,
            "shipped": 1,
            "delivered": 0,
            "completed": 0,
            "cancelled": 0,
        },
        revenue_today=(Revenue(amount=1900, currency="EUR"),),
        recent_orders=(
            RecentOrder(order_id=_ORDER, status="shipped", first_line=_NAME, item_count=2, total=_TOTAL, placed_at=_AT),
        ),
    ),
    Change(
        order_id=_ORDER,
        type="order.shipped.v1",
        version=3,
        occurred_at=_LATER,
        status="shipped",
        payment_status="authorised",
        position=57,
    ),
)


def answers() -> dict[str, Any]:
    """Give an example for each schema by its name in the document."""
    rows = {type(row).__name__: _json(row) for row in _ROWS}
    pages = {f"{name}Page": {"items": [row], "next_cursor": "8fV3rKq0Zc1mQw"} for name, row in rows.items()}
    whole = {type(row).__name__: _json(row) for row in (*_WHOLE, *PAST)}
    told = f"event: order\nid: 8fV3rKq0Zc1mQw\ndata: {json.dumps(whole[Change.__name__])}\n\n"
    whole[Timeline.__name__] = {**pages["TimelineEntryPage"], **STORY}
    return {**rows, **pages, **whole, **HEALTH, "listen": told}


def _json(row: BaseModel) -> Any:  # noqa: ANN401  # JSON is any value
    return row.model_dump(mode="json")
