"""What the read models must hold: made from the log alone, in tables of this session that hide the real ones."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg_pool import AsyncConnectionPool

from infra.event_log import Stored
from infra.live_keys import RECENT
from infra.signals import Signals
from infra.tenant_keys import TenantKeys
from infra.vault import Vault
from projections.live_change import change_of
from projections.main import READ_MODELS, SHOP_FIGURES, order_views
from projections.projector import Projector
from tests.faults.evidence import Row

WANTED = {each.name: frozenset[str](each.categories) for each in (order_views(None), SHOP_FIGURES)}
"""Subscriptions that fill tables, and the categories that each wants."""
_MOST = 2_000
Tables = dict[str, list[Row]]


def kept_and_folded(dsn: str, secret: Path, log: Sequence[Stored]) -> tuple[Tables, Tables]:
    """Give the tables as they are and as they must be."""
    return asyncio.run(_kept_and_folded(dsn, secret, log))


async def _kept_and_folded(dsn: str, secret: Path, log: Sequence[Stored]) -> tuple[Tables, Tables]:
    async with (
        AsyncConnectionPool(dsn, kwargs={"autocommit": True}, open=False) as pool,
        await AsyncConnection.connect(dsn) as connection,
    ):
        log = await Vault(pool, Signals(""), TenantKeys.read(secret)).findable(log)
        kept = {model.name: await _rows(connection, model.name) for model in READ_MODELS}
        for model in READ_MODELS:
            name = sql.Identifier(model.name)
            hidden = sql.SQL("CREATE TEMPORARY TABLE {0} (LIKE public.{0} INCLUDING ALL)").format(name)
            await connection.execute(hidden)
        for model in READ_MODELS:
            wanted = [stored for stored in log if stored.category in model.categories]
            for start in range(0, len(wanted), _MOST):
                await Projector(model).apply(connection, wanted[start : start + _MOST])
        folded = {model.name: await _rows(connection, model.name) for model in READ_MODELS}
        await connection.rollback()
    return kept, folded


async def _rows(connection: AsyncConnection[Any], table: str) -> list[Row]:
    query = sql.SQL("SELECT to_jsonb(kept) FROM {} AS kept").format(sql.Identifier(table))
    return [row[0] for row in await (await connection.execute(query)).fetchall()]


def dashboard_of(log: Sequence[Stored], summaries: Sequence[Row], tenant_id: str, answer: Row) -> dict[str, Any]:
    """Give the live figures that a tenant must be shown in place of an answer, for the same minutes."""
    minutes = [datetime.fromisoformat(each["minute"]) for each in answer["orders_per_minute"]]
    rows = [row for row in summaries if row["tenant_id"] == tenant_id and row["version"] > 0]
    placed = {row["order_id"]: datetime.fromisoformat(row["placed_at"]) for row in rows}
    newest = sorted(rows, key=lambda row: (_milliseconds(placed[row["order_id"]]), row["order_id"]), reverse=True)
    per_minute = Counter(at.astimezone(UTC).replace(second=0, microsecond=0) for at in placed.values())
    return {
        "orders_by_status": dict(Counter(row["status"] for row in rows)),
        "revenue_today": _revenue(log, tenant_id, minutes[-1].date()),
        "recent_orders": [(row["order_id"], row["status"]) for row in newest[:RECENT]],
        "orders_per_minute": [per_minute[minute] for minute in minutes],
    }


def shown_dashboard(answer: Row) -> dict[str, Any]:
    """Give an answer in the form of `dashboard_of`."""
    return {
        "orders_by_status": {status: count for status, count in answer["orders_by_status"].items() if count},
        "revenue_today": {each["currency"]: each["amount"] for each in answer["revenue_today"] if each["amount"]},
        "recent_orders": [(each["order_id"], each["status"]) for each in answer["recent_orders"]],
        "orders_per_minute": [each["orders"] for each in answer["orders_per_minute"]],
    }


def _revenue(log: Sequence[Stored], tenant_id: str, day: date) -> dict[str, int]:
    booked: Counter[str] = Counter()
    for stored in log:
        recorded = stored.recorded
        if recorded.tenant_id == tenant_id and recorded.occurred_at.astimezone(UTC).date() == day:
            change = change_of(recorded)
            if change:
                booked[change.currency] += change.revenue
    return {currency: amount for currency, amount in booked.items() if amount}


def _milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1_000)
