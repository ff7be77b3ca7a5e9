"""Tells the story of one order, from the log and from whatever else the database holds about it."""

from collections.abc import Sequence
from operator import attrgetter
from uuid import UUID

from infra.auth import Caller
from infra.event_log import Stored
from infra.histories import processes
from query_api.history.evidence import Evidence, events_at, events_of, gathered
from query_api.history.story import messages, reactions, told
from query_api.history.story_parts import StoryEntry, Waiting
from query_api.history.waiting import waiting
from query_api.listing import Pool
from query_api.orders import sees_all


async def story(pool: Pool, by: Caller, order_id: UUID) -> tuple[tuple[StoryEntry, ...], tuple[Waiting, ...]]:
    """Give everything that happened, in causal order, and what is waited for; the caller is known to see the order."""
    known = processes()
    events = await events_of(pool, order_id)
    while True:
        taken = reactions(events, known)
        sent = list(messages(taken, known))
        evidence = await gathered(
            pool,
            order_id,
            by.tenant_id,
            streams={stored.stream_id for stored in events},
            messages={message.message_id for message in sent},
            names=known.keys(),
        )
        missed = await _missed(pool, events, evidence)
        if not missed:
            return told(events, taken, sent, evidence), tuple(waiting(events, sent, evidence, to_staff=sees_all(by)))
        events = sorted([*events, *missed], key=attrgetter("position"))


async def _missed(pool: Pool, events: Sequence[Stored], evidence: Evidence) -> list[Stored]:
    """Give what came of a command and the timeline does not show yet: it may be just what is stuck."""
    told_of = {stored.position for stored in events}
    missed = {done.position for done in evidence.done.values() if done.position} - told_of
    return await events_at(pool, missed) if missed else []
