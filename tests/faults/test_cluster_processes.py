"""Every process of the cluster, killed or paused in the middle of its work."""

import os
import signal
from time import monotonic, sleep

import pytest

from tests.faults.ordeal import Fault, Ordeal, Record
from tests.running import Up

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300), pytest.mark.xdist_group("cluster-faults")]

ROLES = (
    *("write-api", "query-api", "projector", "processes", "payment-worker", "notification-worker", "relay", "outbox"),
    *("acquirer", "mail-catcher"),
)
WITHIN_SECONDS = 45.0
"""Three times the goal: a busy machine must not decide. What was measured is in the summary."""
PAUSED_SECONDS = 8.0
TURN_SECONDS = 0.5


def killed(role: str) -> Fault:
    def kill(up: Up) -> float:
        since = monotonic()
        up.pid_of(role, other_than=up.kill(role))
        return since

    return kill


def paused(*roles: str) -> Fault:
    """Stop each for the same time, one shortly after the other, so that each pair is apart for a moment."""

    def pause(up: Up) -> float:
        stopped = []
        for role in roles:
            stopped.append(up.kill(role, signal.SIGSTOP))
            sleep(TURN_SECONDS)
        sleep(PAUSED_SECONDS - TURN_SECONDS * len(roles))
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
            sleep(TURN_SECONDS)
        return monotonic()

    return pause


@pytest.mark.parametrize("role", ROLES)
def test_kill(role: str, ordeal: Ordeal, record_property: Record) -> None:
    ordeal.survive(killed(role), within=WITHIN_SECONDS, record=record_property)


@pytest.mark.parametrize("roles", [ROLES[0::2], ROLES[1::2]], ids=" ".join)
def test_pause(roles: tuple[str, ...], ordeal: Ordeal, record_property: Record) -> None:
    ordeal.survive(paused(*roles), within=WITHIN_SECONDS, record=record_property)
