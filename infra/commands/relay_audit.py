"""Carries out `orderflow relay audit`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from infra.commands.failure import UNREACHABLE, Failure
from infra.commands.platform_database import connected, settings_of
from infra.commands.progress import bars
from infra.kafka.audience import EVERYBODY, Audience, pinned
from infra.kafka.audit import Connection, Fault, Findings, audit
from infra.kafka.producer import Interrupted
from infra.kafka.repair import repair
from infra.kafka.topics import KafkaUnreachable
from infra.local.ready import all_running
from infra.settings import Settings

_FAULTS: Final[tuple[Fault, ...]] = ("missing", "duplicated", "out_of_order", "foreign")
_BOUNDS: Final = """
SELECT (SELECT count(*) FROM stored_events WHERE notification_id BETWEEN %(first)s AND last), last FROM (
    SELECT coalesce(%(last)s::bigint, (SELECT position FROM relay_positions WHERE relay = %(relay)s), 0) AS last
) AS asked
"""


@dataclass(frozen=True, slots=True)
class Order:
    first: int
    last: int | None
    repair: bool
    dsn: str | None
    data: Path | None
    kafka: str | None


@dataclass(frozen=True, slots=True)
class Audited:
    findings: Findings
    first: int
    last: int
    pinned: Mapping[str, "Audited"] = field(default_factory=dict)
    """By consumer: its topics are compared over the same positions, up to where its relay is."""

    def told(self) -> dict[str, Any]:
        findings = self.findings
        faults: dict[str, Any] = {
            fault: {"count": findings.counts[fault], "examples": findings.examples.get(fault, [])} for fault in _FAULTS
        }
        return {
            "from": self.first,
            "to": self.last,
            "events": findings.events,
            "records": findings.records,
            "parked": findings.parked,
            **faults,
            "repaired": findings.repaired,
            **({"pinned": {name: each.told() for name, each in self.pinned.items()}} if self.pinned else {}),
        }

    @property
    def well(self) -> bool:
        """Nothing was found, or all of it was repaired."""
        done = self.findings.clean or self.findings.repaired == self.findings.counts.total()
        return done and all(each.well for each in self.pinned.values())


def carry_out(order: Order, settings: Settings) -> Audited:
    """Show a bar on stderr while it takes its time; raises Failure."""
    settings = with_kafka(settings_of(order.dsn, order.data, settings), order.kafka)
    try:
        with connected(settings.postgres_dsn.get_secret_value()) as connection:
            return _carry_out(order, settings, connection)
    except (KafkaUnreachable, Interrupted) as lost:
        raise Failure(f"Kafka at {settings.kafka_servers} did not do it: {lost}.", UNREACHABLE) from lost


def with_kafka(settings: Settings, named: str | None) -> Settings:
    """Choose a Kafka; never another one than where a platform that runs on the database has its topics."""
    dsn = settings.postgres_dsn.get_secret_value()
    platform = next((ready for ready in all_running(settings.run_dir) if ready.postgres_dsn == dsn), None)
    its = platform.kafka_servers if platform else None
    chosen = named or (settings.kafka_servers if "kafka_servers" in settings.model_fields_set else None)
    if its and chosen and chosen != its:
        raise Failure(f"The topics of that database are on {its}, not on {chosen}.")
    if platform and not its and not chosen:
        raise Failure("That platform runs without Kafka, so there are no topics to compare: `make cluster` has some.")
    return settings.model_copy(update={"kafka_servers": chosen or its or settings.kafka_servers})


def _carry_out(order: Order, settings: Settings, connection: Connection) -> Audited:
    audited = _of(EVERYBODY, order, settings, connection)
    others = {each.consumer or "": _of(each, order, settings, connection) for each in pinned(settings)}
    return replace(audited, pinned=others)


def _of(audience: Audience, order: Order, settings: Settings, connection: Connection) -> Audited:
    bounds = {"first": order.first, "last": order.last, "relay": audience.relay}
    events, last = connection.execute(_BOUNDS, bounds).fetchone() or (0, 0)
    with bars() as shown:
        in_log, on_topics = shown.add_task("events of the log", total=events), shown.add_task("records", total=events)
        findings = audit(
            settings,
            connection,
            range(order.first, last + 1),
            audience,
            log=lambda count: shown.advance(in_log, count),
            topics=lambda count: shown.advance(on_topics, count),
        )
    if order.repair and findings.missing:
        findings.repaired = repair(settings, connection, findings.missing, audience).published
    return Audited(findings, order.first, last)
