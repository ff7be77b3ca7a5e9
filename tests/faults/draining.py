"""Waits until nothing is behind the log any more, and measures how long that takes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic, sleep
from uuid import UUID

import httpx
import psycopg

from infra.event_log import Stored
from tests.acceptance.driver import Shop
from tests.faults.effect_promises import SETTLED, message_id_of, template_of
from tests.faults.evidence import Recovery
from tests.faults.folding import WANTED
from tests.faults.platform import Platform, read_log

_PAUSE_SECONDS = 0.1
_HEAD = "SELECT coalesce(max(notification_id), 0) FROM stored_events"
_POSITIONS = "SELECT subscription, position FROM subscription_positions"
_RELAYED = "SELECT coalesce(max(position), 0) FROM relay_positions"
_OPEN = "SELECT count(*) FROM processes WHERE phase <> ALL(%s)"
_UNTOLD = (
    "SELECT count(*) FROM unnest(%s::uuid[]) AS due (message_id) WHERE message_id NOT IN (SELECT message_id FROM inbox)"
)


@dataclass
class Drain:
    """Looks at a platform again and again; what it has read of the log it does not read twice."""

    platform: Platform
    _log: list[Stored] = field(default_factory=list)
    _due: list[UUID] = field(default_factory=list)

    def until_at_rest(self, bound: float, *, patience: float | None = None) -> Recovery:
        """Wait until nothing is behind; `bound` is the promise, `patience` (by default the same) when to give up."""
        began = monotonic()
        end = began + (bound if patience is None else patience)
        last: tuple[str, ...] = ()
        while True:
            behind = self.behind()
            spent = monotonic() - began
            if not behind or monotonic() >= end:
                return Recovery(spent, bound, behind, last)
            last = behind
            sleep(_PAUSE_SECONDS)

    def behind(self) -> tuple[str, ...]:
        """Say what is behind; a part that cannot be reached is."""
        try:
            with psycopg.connect(self.platform.dsn, connect_timeout=2) as connection:
                found = [*self._database(connection)]
            return tuple(found) or tuple(self._outside())
        except Exception as away:  # noqa: BLE001  # each server's client has its own way to say that it is away
            return (f"a part is away: {type(away).__name__}",)

    def _database(self, connection: psycopg.Connection) -> Iterator[str]:
        yield from self._positions(connection)
        (posted,) = connection.execute("SELECT count(*) FROM outbox").fetchone() or (0,)
        (processes,) = connection.execute(_OPEN, (list(SETTLED),)).fetchone() or (0,)
        self._read_on()
        (untold,) = connection.execute(_UNTOLD, (self._due,)).fetchone() or (0,)
        for count, what in ((posted, "in the outbox"), (processes, "processes"), (untold, "mails")):
            if count:
                yield f"{count} {what}"

    def _positions(self, connection: psycopg.Connection) -> Iterator[str]:
        (head,) = connection.execute(_HEAD).fetchone() or (0,)
        positions: dict[str, int] = dict(connection.execute(_POSITIONS).fetchall())
        followed = [*WANTED, "order_fulfilment"]
        if self.platform.ready.kafka_servers:
            (positions["the relay"],) = connection.execute(_RELAYED).fetchone() or (0,)
            followed.append("the relay")
        for name in followed:
            if positions.get(name, 0) < head:
                yield f"{name} by {head - positions.get(name, 0)}"

    def _read_on(self) -> None:
        new = read_log(self.platform.dsn, after=self._log[-1].position if self._log else 0)
        self._log += new
        self._due += [message_id_of(stored) for stored in new if template_of(stored.recorded.event)]

    def _outside(self) -> Iterator[str]:
        with httpx.Client(timeout=5) as http:
            answer = Shop(http, self.platform.ready, self.platform.ready.tenant_id).staff.ask("/v1/dashboard")
        last_order = max((stored.position for stored in self._log if stored.category == "order"), default=0)
        if not answer.is_success or answer.json()["position"] < last_order:
            yield "the dashboard"
        yield from (f"{count} in {name}" for name, count in self.platform.queues().items() if count)
        records = self.platform.topics()
        if records is not None:
            unpublished = {stored.state for stored in self._log} - {record.value for record in records}
            if unpublished:
                yield f"{len(unpublished)} events on the topics"
