"""The story of any order of any day: whole, in causal order, and each thing with its cause."""

from collections import defaultdict
from uuid import UUID

import pytest

from domain.asked import asked_for
from infra.event_log import Stored
from process_managers.history import ORDER_FULFILMENT
from process_managers.order_fulfilment import order_of
from query_api.history.evidence import Done, Evidence, Parked, Posted, ProcessRow
from query_api.history.story import Message, messages, reactions, told
from query_api.history.story_parts import StoryEntry, Waiting
from query_api.history.waiting import waiting
from tests.examples import NOON, uuid
from tests.system.days import a_day

KNOWN = {"order_fulfilment": ORDER_FULFILMENT}
OUTSIDE = {"request", "deadline"}


def orders_of(seed: int) -> dict[UUID, list[Stored]]:
    orders: defaultdict[UUID, list[Stored]] = defaultdict(list)
    for position, recorded in enumerate(a_day(seed), 1):
        if order_id := order_of(recorded):
            orders[order_id].append(Stored.of(position, recorded))
    return orders


STORIES = [events for seed in range(6) for events in orders_of(seed).values()]


def sent_in(events: list[Stored]) -> list[Message]:
    return list(messages(reactions(events, KNOWN), KNOWN))


def story_of(events: list[Stored], evidence: Evidence | None = None) -> tuple[StoryEntry, ...]:
    taken = reactions(events, KNOWN)
    return told(events, taken, list(messages(taken, KNOWN)), evidence or Evidence())


def test_every_event_is_told_once() -> None:
    for events in STORIES:
        ids = [entry.entry_id for entry in story_of(events)]
        assert len(ids) == len(set(ids))
        assert {stored.recorded.event_id for stored in events} <= set(ids)


def test_everything_comes_after_its_cause_and_before_what_has_nothing_to_do_with_it() -> None:
    for events in STORIES:
        path: list[UUID] = []
        for entry in story_of(events):
            del path[entry.depth :]
            assert len(path) == entry.depth
            assert entry.caused_by == (path[-1] if path else None)
            path.append(entry.entry_id)


def test_everything_goes_back_to_somebody_who_asked_or_to_a_deadline() -> None:
    for events in STORIES:
        assert {entry.kind for entry in story_of(events) if entry.depth == 0} <= OUTSIDE


def test_what_a_process_brought_about_is_told_with_the_command_that_did_it() -> None:
    for events in STORIES:
        entries = {entry.entry_id: entry for entry in story_of(events)}
        for stored in events:
            event = stored.recorded
            cause = entries[event.trace.causation_id]
            if event.actor == "user:somebody":
                assert cause.kind == "request"
            else:
                assert (cause.kind, cause.name) == ("command", getattr(asked_for(event.event, event.stream_id), "type"))  # noqa: B009  # people's commands have no wire name
                assert cause.caused_by is not None


def test_time_passes_between_a_cause_and_what_it_causes() -> None:
    for events in STORIES:
        spans = [entry.elapsed for entry in story_of(events) if entry.elapsed is not None]
        assert all(span >= 0 for span in spans)


def test_nothing_personal_is_told() -> None:
    for events in STORIES:
        whole = "".join(entry.model_dump_json() for entry in story_of(events))
        assert not [secret for secret in ("Ana", "Souza", "Flores", "tok_", "acq-") if secret in whole]


def first_mail(events: list[Stored]) -> Message:
    return next(message for message in sent_in(events) if message.name == "customer.notify.v1")


@pytest.mark.parametrize("events", STORIES[:3])
def test_a_mail_is_told_with_when_it_was_sent(events: list[Stored]) -> None:
    mail = first_mail(events)
    (entry,) = [
        entry
        for entry in story_of(events, Evidence(done={mail.message_id: Done(mail.message_id, NOON, 0)}))
        if entry.entry_id == mail.message_id
    ]
    assert (entry.kind, entry.at, entry.status) == ("mail", NOON, "done")


def now(events: list[Stored], evidence: Evidence, *, to_staff: bool = True) -> list[Waiting]:
    return list(waiting(events, sent_in(events), evidence, to_staff=to_staff))


def test_what_waits_in_the_outbox_is_waited_for() -> None:
    events = STORIES[0]
    mail = first_mail(events)
    posted = Posted(mail.message_id, "notifications.work", 3, NOON, "MailNotTaken: 451 later")
    evidence = Evidence(posted={mail.message_id: posted})
    (entry,) = [entry for entry in story_of(events, evidence) if entry.entry_id == mail.message_id]
    assert entry.status == "waiting"
    assert now(events, evidence) == [
        Waiting(
            for_what="customer.notify.v1 waits in notifications.work",
            until=NOON,
            attempts=3,
            error="MailNotTaken: 451 later",
        )
    ]
    assert now(events, evidence, to_staff=False)[0].error is None


def test_what_is_parked_waits_for_a_person() -> None:
    events = STORIES[0]
    mail, last, letter_id = first_mail(events), events[-1], uuid("letter")
    command = Parked(letter_id, "notifications.work", mail.message_id, None, None, "no", 5, NOON)
    event = Parked(letter_id, "order_views", None, last.stream_id, last.version, "no", 5, NOON)
    elsewhere = Parked(letter_id, "order_views", None, last.stream_id, 10**6, "no", 5, NOON)
    said = [each.for_what for each in now(events, Evidence(parked=[command, event, elsewhere]))]
    assert said == [
        f"a person: customer.notify.v1 is parked by notifications.work (orderflow dlq show {letter_id})",
        f"a person: {last.topic} v{last.version} is parked by order_views (orderflow dlq show {letter_id})",
    ]
    (entry,) = [each for each in story_of(events, Evidence(parked=[command])) if each.entry_id == mail.message_id]
    assert entry.status == "parked"


def test_a_reader_that_is_behind_is_waited_for_and_one_that_has_passed_is_not() -> None:
    events = STORIES[0]
    last = events[-1]
    reached = {"order_views": last.position, "shop_figures": events[0].position}
    applied = {("shop_figures", last.stream_id): last.version}
    behind = [each.for_what for each in now(events, Evidence(reached=reached, applied=applied))]
    assert len(behind) == 1
    assert behind[0].startswith("shop_figures has not applied ")
    entries = [e for e in story_of(events, Evidence(reached=reached, applied=applied)) if e.kind == "read_models"]
    assert len(entries) == len(events)
    assert {entry.status for entry in entries} == {"done", "waiting"}


def test_a_process_waits_until_its_deadline_and_an_ended_one_for_nothing() -> None:
    row = ProcessRow("order_fulfilment", "paying", "the payment to be authorised", NOON, NOON, None, overdue=True)
    (said,) = now(STORIES[0], Evidence(processes=[row]))
    assert said.for_what == "order_fulfilment waits for the payment to be authorised, and is late"
    assert said.until == NOON
    assert now(STORIES[0], Evidence(processes=[row._replace(ended_at=NOON)])) == []
