"""Draws a status for people."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table

from infra.status.model import Lag, Status

_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400


def drawn(status: Status) -> RenderableType:
    """Give tables, side by side where there is room; those without rows are left out."""
    now = status.told_at
    processes = [
        (process.role, process.pid or "[red]away[/red]", _since(process.started_at, now), process.restarts or "")
        for process in status.processes
    ]
    servers = [
        (server.name, "up" if server.is_up else f"[red]{server.trouble}[/red]", server.pid or "")
        for server in status.servers
    ]
    lags = [lag for lag in (status.relay, *status.subscriptions) if lag]
    queues = [
        (each.queue, each.ready, each.consumers or "[red]0[/red]", each.retrying or "", each.dead or "")
        for each in status.queues
    ]
    outbox = [(each.queue, each.waiting, _seconds(each.oldest_seconds)) for each in status.outbox]
    parked = [(each.consumer, f"[red]{each.parked}[/red]", each.waiting or "") for each in status.parked]
    running = (
        _table("Processes", ("role", "pid", "up for", "restarts"), processes),
        _table("Servers", ("server", "", "pid"), servers),
    )
    flowing = (
        _table(f"The log ends at {status.head}", ("reader", "position", "behind", "age"), _lags(lags)),
        _table("RabbitMQ", ("queue", "ready", "consumers", "retrying", "dead"), queues),
        _table("Outbox", ("queue", "waiting", "oldest"), outbox),
        _table("Dead letters: `orderflow dlq list` says why", ("consumer", "parked", "behind them"), parked),
        _table(
            "Drift: `orderflow projection drift` says where", ("projection", "differing", "of", "ago"), _drift(status)
        ),
    )
    return Columns([_below(running), _below(flowing)], padding=(0, 4))


def _below(tables: Iterable[Table]) -> Group:
    return Group(*(table for table in tables if table.row_count))


def _lags(lags: Iterable[Lag]) -> list[tuple[object, ...]]:
    return [(lag.reader, lag.position, lag.events or "", _seconds(lag.seconds)) for lag in lags]


def _drift(status: Status) -> list[tuple[object, ...]]:
    """Those that differ, or all of them in one line."""
    now, found = status.told_at, status.drift
    wrong = [each for each in found if each.differing]
    if found and not wrong:
        oldest = min(each.looked_at for each in found)
        return [(f"all {len(found)}", 0, sum(each.rows for each in found), _since(oldest, now))]
    return [(each.projection, f"[red]{each.differing}[/red]", each.rows, _since(each.looked_at, now)) for each in wrong]


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(str, row))
    return table


def _since(instant: datetime | None, now: datetime) -> str:
    return _seconds((now - instant.astimezone(UTC)).total_seconds()) if instant else ""


def _seconds(seconds: float) -> str:
    if not seconds:
        return ""
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.1f} s"
