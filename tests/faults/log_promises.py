"""Promises 1, 2 and 10: what the log and the topics hold."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from uuid import UUID

from infra.event_log import Stored
from schemas.recorded import GENESIS, digest
from tests.faults.evidence import Evidence
from tests.faults.finding import HistoryEdited, NotExactlyOnce, VersionsBroken
from tests.faults.history import Call

IDEMPOTENT = frozenset({"cancel", "deliver"})
"""Asked again under another key, they are done already: a success that stores nothing, not even its own answer."""
_SAMPLES = 50


def once_in_the_log(evidence: Evidence) -> Iterator[NotExactlyOnce]:
    """1: an acknowledged command is in the log exactly once; a refused one left nothing."""
    caused: defaultdict[UUID, list[Stored]] = defaultdict(list)
    for stored in evidence.log:
        if stored.recorded.actor.startswith("user:"):
            caused[stored.recorded.trace.causation_id].append(stored)
    calls: defaultdict[str, list[Call]] = defaultdict(list)
    for call in evidence.calls:
        calls[call.key].append(call)
    positions = {stored.position: stored for stored in evidence.log}
    for key, tries in calls.items():
        yield from _one_command(key, tries, caused[tries[0].cause], positions)


def _one_command(
    key: str, tries: Sequence[Call], events: Sequence[Stored], positions: dict[int, Stored]
) -> Iterator[NotExactlyOnce]:
    done = [call for call in tries if call.outcome == "done"]
    refused = any(call.outcome == "refused" for call in tries)
    if len({call.body for call in tries}) > 1:
        yield NotExactlyOnce("a client sent two bodies under one key", key)
    if len(events) > 1:
        yield NotExactlyOnce("a command is in the log more than once", key)
    if done and refused:
        yield NotExactlyOnce("a command was both done and refused", key)
    if refused and not done and events:
        yield NotExactlyOnce("a refused command left something", key)
    if len({call.answer for call in done}) > 1 and (events or done[0].kind not in IDEMPOTENT):
        yield NotExactlyOnce("a repeat was answered differently", key)
    if done and not events and done[0].kind not in IDEMPOTENT:
        yield NotExactlyOnce("an acknowledged command is not in the log", key)
    for call in done[:1]:
        named = positions.get(call.position)
        if named is None or named.version != call.version or (events and named != events[0]):
            yield NotExactlyOnce("an answer names a position that holds something else", key)


def versions_without_holes(evidence: Evidence) -> Iterator[VersionsBroken]:
    """2: per stream, versions are 1 to n in the log, in the topics and in every read model."""
    streams = evidence.streams()
    for stream_id, stream in streams.items():
        if [stored.version for stored in stream] != list(range(1, len(stream) + 1)):
            yield VersionsBroken("the log's versions are not 1 to n", str(stream_id))
    yield from _topics(evidence, streams)
    yield from _rows(evidence, streams)


def _topics(evidence: Evidence, streams: dict[UUID, list[Stored]]) -> Iterator[VersionsBroken]:
    if evidence.topics is None:
        return
    first: dict[bytes, dict[bytes, bool]] = {}
    times: Counter[bytes] = Counter()
    partitions: defaultdict[bytes, set[tuple[str, int]]] = defaultdict(set)
    for record in evidence.topics:
        first.setdefault(record.key, {}).setdefault(record.value, record.repaired)
        times[record.value] += not record.repaired
        partitions[record.key].add((record.topic, record.partition))
    for stream_id, stream in streams.items():
        key = str(stream_id).encode()
        published = first.pop(key, {})
        states = [stored.state for stored in stream]
        in_place = [state for state, repaired in published.items() if not repaired]
        if published.keys() != set(states):
            yield VersionsBroken("a topic does not hold exactly the events of the log", str(stream_id))
        elif in_place != [state for state in states if not published[state]]:
            yield VersionsBroken("a topic holds events of a stream in another order", str(stream_id))
        if any(times[state] > 1 for state in states):
            yield VersionsBroken("a topic holds an event twice", str(stream_id))
        if len(partitions[key]) > 1:
            yield VersionsBroken("a stream is in more than one partition", str(stream_id))
    for key in first:
        yield VersionsBroken("a topic holds a stream that the log does not know", repr(key))


def _rows(evidence: Evidence, streams: dict[UUID, list[Stored]]) -> Iterator[VersionsBroken]:
    last = {str(stream_id): len(stream) for stream_id, stream in streams.items()}
    for table in ("order_summaries", "order_details"):
        for row in evidence.views.get(table, ()):
            if row["version"] != last.get(row["order_id"], 0):
                yield VersionsBroken(f"{table} has a row of another version than the log", row["order_id"])
    told: defaultdict[str, list[int]] = defaultdict(list)
    by_event = {str(stored.recorded.event_id): stored for stored in evidence.log}
    for row in evidence.views.get("order_timeline", ()):
        stored = by_event.get(row["event_id"])
        if stored is None or stored.version != row["version"]:
            yield VersionsBroken("the timeline tells an event that the log does not hold", row["event_id"])
        elif stored.category in ("order", "payment"):
            told[str(stored.stream_id)].append(row["version"])
    for stream_id, versions in told.items():
        if sorted(versions) != list(range(1, last[stream_id] + 1)):
            yield VersionsBroken("the timeline's versions are not 1 to n", stream_id)


def history_is_chained(evidence: Evidence) -> Iterator[HistoryEdited]:
    """10: any edit of history is found. Edits are also made, on copies, because a check that finds none proves nothing.

    What follows an event holds its hash. The newest event of a stream has no follower: its witness is the topic.
    """
    streams = evidence.streams()
    for stream_id, stream in streams.items():
        if not is_chained(stream):
            yield HistoryEdited("a chain of hashes is broken", str(stream_id))
    for stream_id, stream in [each for each in streams.items() if len(each[1]) > 1][:_SAMPLES]:
        for what, edited in _edits(stream):
            if is_chained(edited):
                yield HistoryEdited(f"{what} is not found", str(stream_id))


def is_chained(stream: Sequence[Stored]) -> bool:
    links = [GENESIS, *(digest(stored.state) for stored in stream)]
    return [stored.recorded.prev for stored in stream] == links[:-1]


def _edits(stream: Sequence[Stored]) -> Iterator[tuple[str, list[Stored]]]:
    first, second, rest = stream[0], stream[1], list(stream[2:])
    actor = first.recorded.model_copy(update={"actor": "user:mallory"})
    changed = Stored.of(first.position, actor)
    yield "an edited event", [changed, second, *rest]
    yield "a removed event", [second, *rest]
    yield "a swap of two events", [second, first, *rest]
    yield "a repeated event", [first, first, second, *rest]
