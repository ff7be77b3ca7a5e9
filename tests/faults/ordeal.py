"""One fault at a time under load: hurt, heal, come to rest, and let the checker judge."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from time import monotonic, sleep

import httpx

from tests.acceptance.driver import Shop
from tests.faults.checker import check
from tests.faults.draining import Drain
from tests.faults.evidence import Recovery
from tests.faults.finding import Finding, report
from tests.faults.gathering import gather
from tests.faults.load import Crowd
from tests.faults.platform import Platform
from tests.running import Up

BEFORE_SECONDS = 1.5
AFTER_SECONDS = 1.0
PATIENCE_SECONDS = 120.0
MAILS_AT_ONCE = 8
Fault = Callable[[Up], float]
"""Gives the moment since when the recovery counts: that of a kill, or the end of what lasts longer."""
Record = Callable[[str, object], None]


@dataclass
class Ordeal:
    """The same customers meet one platform through all of its faults."""

    up: Up
    crowd: Crowd
    drain: Drain
    resends: int = 0
    """Mails that may have come twice so far: what was under way when a worker or a server was killed."""
    found: set[Finding] = field(default_factory=set)
    """What was found before: only the fault that broke a promise is to fail."""
    rounds: Iterator[int] = field(default_factory=count)

    @classmethod
    def of(cls, up: Up, crowd: Crowd) -> "Ordeal":
        with httpx.Client(timeout=20) as http:
            crowd.sku = Shop(http, up.ready, up.ready.tenant_id).product(stock=1_000_000)
        return cls(up, crowd, Drain(Platform(up.ready)))

    def survive(self, fault: Fault, *, within: float, record: Record) -> None:
        """Hurt under load; `within` seconds after that nothing may be behind, and all promises are kept.

        The load goes on for a moment, which counts.
        """
        with self.crowd.at_work(self.up.ready, f"round-{next(self.rounds)}"):
            sleep(BEFORE_SECONDS)
            since = fault(self.up)
            sleep(AFTER_SECONDS)
        self.crowd.ask_again(self.up.ready, also=5)
        spent = monotonic() - since
        rest = self.drain.until_at_rest(within - spent, patience=PATIENCE_SECONDS)
        recovery = Recovery(spent + rest.seconds, within, rest.behind, rest.last)
        record("recovery", round(recovery.seconds, 1))
        self.resends += MAILS_AT_ONCE
        platform = Platform(self.up.now())
        findings = check(gather(platform, self.crowd.history, recovery=recovery, resends=self.resends))
        new = [finding for finding in findings if finding not in self.found]
        self.found.update(findings)
        assert not new, report(new)
