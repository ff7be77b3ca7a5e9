"""Every process of the cluster, killed or paused in the middle of its work."""

import os
import signal
from time import monotonic, sleep

import pytest

from tests.faults.ordeal import Fault, Ordeal, Record
from tests.running import Up

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

ROLES = (
    *("write-api", "query-api", "projector", "processes", "payment-worker", "notification-worker", "relay", "outbox"),
    *("mail-catcher", "acquirer"),
)
GROUPS = (ROLES[0::2], ROLES[1::2])
"""Who has mail in hand is alone in its group."""
WITHIN_SECONDS = 60.0
"""Four times the goal: a busy machine must not decide. What was measured is in the summary."""
PAUSED_SECONDS = 6.0
"""Longer than any lease."""
TURN_SECONDS = 0.5
AT_WORK_SECONDS = 1.0


def killed(*roles: str) -> Fault:
    """Kill each in the middle of its work, the next one when the last is back at work."""

    def kill(up: Up) -> float:
        since = monotonic()
        for role in roles:
            sleep(AT_WORK_SECONDS)
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


@pytest.mark.parametrize("roles", GROUPS, ids=" ".join)
def test_kill(roles: tuple[str, ...], ordeal: Ordeal, record_property: Record) -> None:
    ordeal.survive(killed(*roles), within=WITHIN_SECONDS, record=record_property)


@pytest.mark.parametrize("roles", GROUPS, ids=" ".join)
def test_pause(roles: tuple[str, ...], ordeal: Ordeal, record_property: Record) -> None:
    ordeal.survive(paused(*roles), within=WITHIN_SECONDS, record=record_property)
