"""Puts together how an order came about: pure, from what is recorded and what the process makes of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from infra.event_log import Stored
from infra.histories import Process, Step
from query_api.history.causes import ordered
from query_api.history.evidence import Evidence
from query_api.history.story_parts import StoryEntry, StoryKind, StoryStatus
from schemas.commands import Command, Sent, queue_of
from schemas.events.order import OrderCancelled
from schemas.recorded import Recorded
from schemas.telling import facts_of

_KINDS: Final[Mapping[str, StoryKind]] = {"payments.work": "payment_attempt", "notifications.work": "mail"}
_UNTOLD: Final = frozenset({"type", "order_id", "payment_id", "payment_token", "acquirer_reference", "event_id"})
"""Fields of commands that are no news, or that only the acquirer is asked with."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """A step of a process, by the process's name."""

    process: str
    step: Step


@dataclass(frozen=True, slots=True)
class Message:
    """A command that a process sent, or that a worker may have answered with."""

    message_id: UUID
    cause: UUID | None
    name: str
    who: str
    sent: Sent | None = None


def reactions(events: Sequence[Stored], known: Mapping[str, Process]) -> list[Reaction]:
    """Have every process tell what it made of the events of an order."""
    history = [stored.recorded for stored in events]
    return [Reaction(name, step) for name, process in known.items() for step in process.steps(history)]


def messages(taken: Iterable[Reaction], known: Mapping[str, Process]) -> Iterator[Message]:
    """Give every command that was sent, each followed by all that may have been answered to it."""
    for reaction in taken:
        for sent in reaction.step.sent:
            if reaction.step.cause is None:  # its id came from the deadline, and is known from what it brought about
                yield Message(sent.trace.causation_id, None, sent.command.type, sent.actor, sent)
                continue
            yield Message(sent.message_id, reaction.step.cause, sent.command.type, sent.actor, sent)
            for reply_id, name in known[reaction.process].replies(sent).items():
                yield Message(reply_id, sent.message_id, name, "worker:payment")


def told(
    events: Sequence[Stored], taken: Sequence[Reaction], sent: Sequence[Message], evidence: Evidence
) -> tuple[StoryEntry, ...]:
    """Give every entry in causal order."""
    by_cause: dict[UUID, Recorded] = {}
    for stored in events:
        by_cause.setdefault(stored.recorded.trace.causation_id, stored.recorded)
    entries = [_event(stored.recorded) for stored in events]
    known = {message.message_id: message for message in sent}
    known |= {
        cause: _unknown(cause, effect)
        for cause, effect in by_cause.items()
        if cause not in known and not effect.actor.startswith("user:")
    }
    entries += [
        _message(message, by_cause.get(message.message_id), evidence)
        for message in known.values()
        if message.sent or message.message_id in by_cause or _seen(message.message_id, evidence)
    ]
    entries += [
        _deadline(message.message_id, effect)
        for message in known.values()
        if not message.cause and (effect := by_cause.get(message.message_id)) and _is_late(effect)
    ]
    entries += [_request(effect) for cause, effect in by_cause.items() if cause not in known]
    entries += [
        _step(reaction, reaction.step.cause) for reaction in taken if reaction.step.moved and reaction.step.cause
    ]
    entries += [_readers(stored, evidence) for stored in events if evidence.reached]
    return tuple(ordered(entries))


def _event(recorded: Recorded) -> StoryEntry:
    facts = {"version": recorded.version, **facts_of(recorded.event)}
    return _entry(
        recorded.event_id,
        recorded.trace.causation_id,
        "event",
        recorded.event.type,
        who=recorded.actor,
        at=recorded.occurred_at,
        facts=facts,
    )


def _unknown(message_id: UUID, effect: Recorded) -> Message:
    """Give a message that the process of this release would not have sent, or not because of the same event."""
    return Message(message_id, None, "command", effect.actor)


def _message(message: Message, effect: Recorded | None, evidence: Evidence) -> StoryEntry:
    command = message.sent.command if message.sent else None
    done = evidence.done.get(message.message_id)
    at = effect.occurred_at if effect else done and done.at
    status: StoryStatus = "done" if at else "no_trace"
    if message.message_id in evidence.posted:
        status = "waiting"
    elif any(each.message_id == message.message_id for each in evidence.parked):
        status = "parked"
    kind: StoryKind = _KINDS.get(queue_of(command), "command") if command else "command"
    cause = message.cause or uuid5(message.message_id, "deadline")
    return _entry(
        message.message_id, cause, kind, message.name, who=message.who, at=at, status=status, facts=_facts(command)
    )


def _facts(command: Command | None) -> dict[str, Any]:
    return command.model_dump(mode="json", exclude=set(_UNTOLD), exclude_none=True) if command else {}


def _is_late(effect: Recorded) -> bool:
    return isinstance(effect.event, OrderCancelled) and effect.event.reason.endswith("_deadline")


def _deadline(message_id: UUID, effect: Recorded) -> StoryEntry:
    reason = effect.event.reason if isinstance(effect.event, OrderCancelled) else ""
    return _entry(uuid5(message_id, "deadline"), None, "deadline", reason, who=effect.actor, at=effect.occurred_at)


def _request(effect: Recorded) -> StoryEntry:
    return _entry(effect.trace.causation_id, None, "request", effect.actor, who=effect.actor, at=effect.occurred_at)


def _step(reaction: Reaction, cause: UUID) -> StoryEntry:
    step = reaction.step
    facts = {"waiting_for": step.waiting_for} if step.waiting_for else {}
    who = f"process:{reaction.process}"
    return _entry(uuid5(cause, who), cause, "process_step", step.phase, who=who, at=step.at, facts=facts)


def _readers(stored: Stored, evidence: Evidence) -> StoryEntry:
    """Tell who has applied an event: a reader that has passed its position, or its version of the stream."""
    applied = sorted(name for name in evidence.reached if has_applied(name, stored, evidence))
    behind = sorted(evidence.reached.keys() - set(applied))
    event_id = stored.recorded.event_id
    status: StoryStatus = "waiting" if behind else "done"
    facts = {"applied_by": applied, **({"behind": behind} if behind else {})}
    return _entry(
        uuid5(event_id, "read models"),
        event_id,
        "read_models",
        "read models",
        who="projections",
        at=None,
        status=status,
        facts=facts,
    )


def has_applied(name: str, stored: Stored, evidence: Evidence) -> bool:
    passed = evidence.reached[name] >= stored.position
    return passed or evidence.applied.get((name, stored.stream_id), 0) >= stored.version


def _seen(message_id: UUID, evidence: Evidence) -> bool:
    parked = any(each.message_id == message_id for each in evidence.parked)
    return parked or message_id in evidence.posted or message_id in evidence.done


def _entry(  # noqa: PLR0913  # each is a field
    entry_id: UUID,
    cause: UUID | None,
    kind: StoryKind,
    name: str,
    *,
    who: str,
    at: datetime | None,
    status: StoryStatus = "done",
    facts: dict[str, Any] | None = None,
) -> StoryEntry:
    return StoryEntry.model_construct(
        entry_id=entry_id,
        caused_by=cause,
        depth=0,
        kind=kind,
        name=name,
        who=who,
        why="",
        at=at,
        elapsed=None,
        status=status,
        facts=facts or {},
    )
