"""`orderflow reconcile`."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.commands.options import Data, Dsn
from infra.commands.output import AsJson, money, wants_json, write_json, write_table

if TYPE_CHECKING:
    from process_managers.reconciliation import Finding
    from process_managers.reconciling import Report

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _span(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if not found:
        raise typer.BadParameter(f"{text!r} is not a time such as 90s, 2m, 24h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def reconcile(  # noqa: PLR0913  # one parameter an option
    *,
    since: Annotated[timedelta, typer.Option(parser=_span, help="Payments that moved within it.")] = "24h",  # type: ignore[assignment]
    grace: Annotated[timedelta, typer.Option(parser=_span, help="Younger ones may still settle.")] = "2m",  # type: ignore[assignment]
    acquirer_url: Annotated[str | None, typer.Option(help="Or ORDERFLOW_ACQUIRER_URL.")] = None,
    dsn: Dsn = None,
    data: Data = None,
    as_json: AsJson = None,
) -> None:
    """Compare the acquirer's ledger with the payments here. Ends with 1 when they disagree."""
    import asyncio
    from datetime import UTC, datetime

    import aiohttp
    from pydantic import ValidationError

    from infra.acquirer import HttpAcquirer, OutcomeUnknown
    from infra.commands.failure import UNREACHABLE, Failure
    from infra.commands.platform_database import opened, settings_of
    from process_managers.reconciling import reconcile as compared

    settings = settings_of(dsn, data)
    url = acquirer_url or settings.acquirer_url
    if not url:
        raise Failure("Name the acquirer with --acquirer-url, or start `orderflow up`.")

    async def run() -> "Report":
        async with opened(settings) as pool, HttpAcquirer(url, seconds=30) as acquirer:
            return await compared(pool, acquirer, now=datetime.now(UTC), since=since, grace=grace)

    try:
        report = asyncio.run(run())
    except (OutcomeUnknown, aiohttp.ClientError) as lost:
        raise Failure(f"The acquirer at {url} does not give its ledger.", UNREACHABLE) from lost
    except ValidationError as strange:
        raise Failure(f"The acquirer at {url} gives a ledger that cannot be read.") from strange
    (_write_lines if wants_json(as_json) else _write_tables)(report)
    raise typer.Exit(bool(report.findings))


def _write_lines(report: "Report") -> None:
    write_json(
        {
            "payments": report.payments,
            "unreadable_events": report.unreadable,
            "findings": [_told(each) for each in report.findings],
            "in_flight": [_told(each) for each in report.in_flight],
        }
    )


def _write_tables(report: "Report") -> None:
    for title, findings in (("They disagree", report.findings), ("In flight, look again later", report.in_flight)):
        if findings:
            columns = ("what", "order", "acquirer", "here", "")
            write_table(title, columns, _rows(findings))
    if report.unreadable:
        typer.secho(f"{report.unreadable} events cannot be read and were left out.", fg=typer.colors.YELLOW, err=True)
    if not report.findings:
        typer.echo(f"The acquirer and the log agree on {report.payments} payments.")


def _rows(findings: "Sequence[Finding]") -> list[tuple[object, ...]]:
    return [
        (
            each.kind.replace("_", " "),
            each.order_id or f"none (payment {each.payment_id})",
            each.there and money(each.there.model_dump()),
            each.here and money(each.here.model_dump()),
            each.says,
        )
        for each in findings
    ]


def _told(finding: "Finding") -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "payment_id": str(finding.payment_id),
        "order_id": str(finding.order_id) if finding.order_id else None,
        "key": finding.key,
        "acquirer": finding.there.model_dump() if finding.there else None,
        "here": finding.here.model_dump() if finding.here else None,
        "says": finding.says,
    }
