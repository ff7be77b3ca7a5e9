"""An inbox holds nobody up for long, and a record is acknowledged once nobody needs it."""

import asyncio
from uuid import uuid4

import pytest

from infra.event_log import Stored
from infra.kafka.inbox import Arrival, Inbox


def arriving(position: int, acknowledged: list[int], waiting: int = 1) -> Arrival:
    stored = Stored(position, uuid4(), 1, "order.placed.v1", b"{}")
    return Arrival(stored, waiting, lambda: acknowledged.append(position))


@pytest.fixture
def inbox() -> Inbox:
    opened = Inbox(room=2)
    opened.open()
    return opened


async def test_a_record_is_acknowledged_when_everybody_has_applied_it(inbox: Inbox) -> None:
    other, acknowledged = Inbox(), list[int]()
    other.open()
    arrival = arriving(1, acknowledged, waiting=2)
    await inbox.put(arrival)
    await other.put(arrival)
    for each in (inbox, other):
        assert acknowledged == []
        assert [stored.position for stored in each.take(10)] == [1]
        each.applied()
    assert acknowledged == [1]


async def test_what_was_taken_and_not_applied_is_given_again_with_what_came_since(inbox: Inbox) -> None:
    await inbox.put(arriving(1, []))
    inbox.take(10)
    await inbox.put(arriving(2, []))
    assert [stored.position for stored in inbox.take(10)] == [1, 2]


async def test_a_closed_inbox_leaves_everything_to_the_log(inbox: Inbox) -> None:
    acknowledged = list[int]()
    await inbox.put(arriving(1, acknowledged))
    await inbox.put(arriving(2, acknowledged))
    inbox.take(1)
    inbox.close()
    await inbox.put(arriving(3, acknowledged))
    assert acknowledged == [1, 2, 3]
    assert inbox.take(10) == []


async def test_a_full_inbox_is_waited_for(inbox: Inbox) -> None:
    for position in (1, 2):
        await inbox.put(arriving(position, []))
    third = asyncio.create_task(inbox.put(arriving(3, [])))
    await asyncio.sleep(0)
    assert not third.done()
    inbox.take(1)
    async with asyncio.timeout(0.5):
        await third
    assert inbox.is_open


async def test_one_that_stays_full_closes_itself(inbox: Inbox) -> None:
    acknowledged = list[int]()
    for position in (1, 2, 3):
        await inbox.put(arriving(position, acknowledged))
    assert not inbox.is_open
    assert acknowledged == [1, 2, 3]


async def test_whoever_waits_is_woken_by_an_arrival_and_by_closing(inbox: Inbox) -> None:
    for wake in (inbox.put(arriving(1, [])), None):
        inbox.take(10)
        waiting = asyncio.create_task(inbox.wait(30))
        await asyncio.sleep(0)
        if wake is None:
            inbox.close()
        else:
            await wake
        async with asyncio.timeout(1):
            await waiting
