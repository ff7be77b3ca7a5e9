"""Says what an order waits for now."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import UUID

from infra.event_log import Stored
from query_api.history.evidence import Evidence
from query_api.history.story import Message, has_applied
from query_api.history.story_parts import Waiting


def waiting(
    events: Sequence[Stored], sent: Iterable[Message], evidence: Evidence, *, to_staff: bool
) -> Iterator[Waiting]:
    """Give what is waited for: processes, commands on their way, what a person must mend, and readers of the log."""
    known = {message.message_id: message for message in sent}
    for process in evidence.processes:
        if not process.ended_at:
            late = ", and is late" if process.overdue else ""
            yield Waiting(
                for_what=f"{process.name} waits for {process.waiting_for}{late}",
                since=process.updated_at,
                until=process.deadline_at,
            )
    for posted in evidence.posted.values():
        yield Waiting(
            for_what=f"{_name(posted.message_id, known)} waits in {posted.queue}",
            until=posted.available_at,
            attempts=posted.attempts,
            error=posted.error if to_staff else None,
        )
    yield from _parked(events, known, evidence, to_staff=to_staff)
    for name in sorted(evidence.reached):
        behind = [stored for stored in events if not has_applied(name, stored, evidence)]
        if behind:
            said = f"{name} has not applied {behind[0].topic} v{behind[0].version} of {behind[0].category} yet"
            yield Waiting(for_what=said, since=behind[0].recorded.occurred_at)


def _parked(
    events: Sequence[Stored], known: Mapping[UUID, Message], evidence: Evidence, *, to_staff: bool
) -> Iterator[Waiting]:
    topics = {(stored.stream_id, stored.version): stored.topic for stored in events}
    for letter in evidence.parked:
        if letter.message_id:
            what = _name(letter.message_id, known)
        elif letter.stream_id and letter.version and (letter.stream_id, letter.version) in topics:
            what = f"{topics[letter.stream_id, letter.version]} v{letter.version}"
        else:
            continue
        yield Waiting(
            for_what=f"a person: {what} is parked by {letter.consumer} (orderflow dlq show {letter.dead_letter_id})",
            since=letter.parked_at,
            attempts=letter.attempts,
            error=letter.error if to_staff else None,
        )


def _name(message_id: UUID, known: Mapping[UUID, Message]) -> str:
    message = known.get(message_id)
    return message.name if message else "a command"
