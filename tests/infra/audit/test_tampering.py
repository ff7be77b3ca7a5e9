"""Whoever rules the database may change what they like, and are found: the first bad position is named."""

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from typing import Final
from uuid import UUID

import psycopg
import pytest

from infra.event_log import Stored
from schemas.recorded import digest
from tests.benchmarks import stored_log
from tests.infra.audit.rigs import Admin, signed, verdict, with_holes

EVENTS: Final = 204
EDITS: Final = 1_000
LOG: Final = with_holes(EVENTS)
STREAMS: Final[dict[UUID, list[Stored]]] = {
    stream_id: [each for each in LOG if each.stream_id == stream_id] for stream_id in {each.stream_id for each in LOG}
}
HEAD: Final = LOG[-1].position

Edit = Callable[[Admin, random.Random], int]
"""Change something, and give the first position that is bad then."""


@pytest.fixture(scope="module")
def admin(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    """A superuser of the database, before whom nothing is safe; the log was signed in three steps."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for start, end in ((0, 60), (60, 150), (150, EVENTS)):
        stored_log.write(module_database, LOG[start:end])
        asyncio.run(signed(module_database, folder))
    with psycopg.connect(module_database, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("ALTER TABLE stored_events ALTER COLUMN notification_id DROP NOT NULL")
        connection.execute("DROP INDEX stored_events_notification_id_idx")
        connection.execute("ALTER TABLE stored_events DROP CONSTRAINT stored_events_pkey")
        connection.execute("CREATE INDEX ON stored_events (originator_id, originator_version)")
        yield connection


def update(admin: Admin, stored: Stored, **columns: object) -> None:
    for name, value in columns.items():
        query = f"UPDATE stored_events SET {name} = %s WHERE notification_id = %s"  # noqa: S608 - names of our own
        admin.execute(query.encode(), (value, stored.position))


def a_byte(admin: Admin, rng: random.Random) -> int:
    stored = rng.choice(LOG)
    state = bytearray(stored.state)
    state[rng.randrange(len(state))] ^= rng.randrange(1, 256)
    update(admin, stored, state=bytes(state))
    return stored.position


def bytes_more_or_less(admin: Admin, rng: random.Random) -> int:
    stored = rng.choice(LOG)
    end = rng.randrange(len(stored.state))
    update(admin, stored, state=rng.choice((stored.state[:end], stored.state + b" ", b" " + stored.state, None)))
    return stored.position


def a_fact(admin: Admin, rng: random.Random) -> int:
    """Edit as somebody would who means it: an event of valid JSON, in canonical form."""
    stored = rng.choice(LOG)
    told = json.loads(stored.state)
    told["actor"] = "user:mallory"
    update(admin, stored, state=json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode())
    return stored.position


def the_type(admin: Admin, rng: random.Random) -> int:
    stored = rng.choice(LOG)
    update(admin, stored, topic=rng.choice((f"{stored.topic[:-1]}9", "order.paid.v1", "", None)))
    return stored.position


def the_version(admin: Admin, rng: random.Random) -> int:
    stored = rng.choice(LOG)
    update(admin, stored, originator_version=stored.version + rng.choice((-1, 1, 2, 1_000, -1_000)))
    return stored.position


def the_stream(admin: Admin, rng: random.Random) -> int:
    stored = rng.choice(LOG)
    other = rng.choice([each for each in STREAMS if each != stored.stream_id] + [UUID(int=rng.getrandbits(128))])
    update(admin, stored, originator_id=other)
    return stored.position


def the_position(admin: Admin, rng: random.Random) -> int:
    stored = rng.choice(LOG)
    new = rng.choice((rng.randrange(1, HEAD, 2), -rng.randrange(1, 9), HEAD + rng.randrange(1, 99), 0))
    update(admin, stored, notification_id=new)
    return min(new, stored.position)


def the_position_onto_another(admin: Admin, rng: random.Random) -> int:
    first, second = rng.sample(LOG, 2)
    update(admin, first, notification_id=second.position)
    return min(first.position, second.position)


def a_deletion(admin: Admin, rng: random.Random) -> int:
    stored = rng.choice(LOG)
    admin.execute("DELETE FROM stored_events WHERE notification_id = %s", (stored.position,))
    return stored.position


def a_truncation(admin: Admin, rng: random.Random) -> int:
    stored = rng.choice(LOG)
    admin.execute("DELETE FROM stored_events WHERE notification_id >= %s", (stored.position,))
    return stored.position


def of_a_stream_its_end(admin: Admin, rng: random.Random) -> int:
    stream = rng.choice(list(STREAMS.values()))
    stored = rng.choice(stream)
    query = "DELETE FROM stored_events WHERE originator_id = %s AND originator_version >= %s"
    admin.execute(query, (stored.stream_id, stored.version))
    return stored.position


def a_swap(admin: Admin, rng: random.Random) -> int:
    return _moved(admin, rng.sample(LOG, 2))


def a_reordering(admin: Admin, rng: random.Random) -> int:
    start = rng.randrange(len(LOG) - 2)
    return _moved(admin, LOG[start : start + rng.randrange(2, 12)])


def _moved(admin: Admin, some: list[Stored]) -> int:
    """Give each the position of the next."""
    for each in some:
        update(admin, each, notification_id=-each.position)
    for each, after in zip(some, [*some[1:], some[0]], strict=True):
        query = "UPDATE stored_events SET notification_id = %s WHERE notification_id = %s"
        admin.execute(query, (after.position, -each.position))
    return min(each.position for each in some)


def a_swap_of_bytes(admin: Admin, rng: random.Random) -> int:
    first, second = rng.sample(LOG, 2)
    update(admin, first, state=second.state, topic=second.topic)
    update(admin, second, state=first.state, topic=first.topic)
    return min(first.position, second.position)


def a_forged_event(admin: Admin, rng: random.Random) -> int:
    """Put an event with the right version and chain where the log had a hole."""
    last = rng.choice(list(STREAMS.values()))[-1]
    told = json.loads(last.state)
    told |= {"event_id": str(UUID(int=rng.getrandbits(128))), "version": last.version + 1, "prev": digest(last.state)}
    state = json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()
    position = rng.randrange(1, HEAD, 2)
    admin.execute(
        "INSERT INTO stored_events (originator_id, originator_version, topic, state, notification_id)"
        " VALUES (%s, %s, %s, %s, %s)",
        (last.stream_id, last.version + 1, last.topic, state, position),
    )
    return position


def a_rewritten_chain(admin: Admin, rng: random.Random) -> int:
    """Edit an event, and make the hashes of all that follows in its stream anew."""
    stream = rng.choice([each for each in STREAMS.values() if len(each) > 1])
    start = rng.randrange(len(stream) - 1)
    state = stream[start].state.replace(b'"tenant_id":"kaffa"', b'"tenant_id":"other"')
    update(admin, stream[start], state=state)
    for before, stored in zip(stream[start:], stream[start + 1 :], strict=False):
        before_digest = digest(state)
        state = stored.state.replace(digest(before.state).encode(), before_digest.encode())
        update(admin, stored, state=state)
    return stream[start].position


EDITS_OF_ALL_KINDS: Final[tuple[Edit, ...]] = (
    a_byte,
    bytes_more_or_less,
    a_fact,
    the_type,
    the_version,
    the_stream,
    the_position,
    the_position_onto_another,
    a_deletion,
    a_truncation,
    of_a_stream_its_end,
    a_swap,
    a_reordering,
    a_swap_of_bytes,
    a_forged_event,
    a_rewritten_chain,
)


def test_a_log_that_nobody_touched_is_whole(admin: Admin) -> None:
    with admin.transaction():
        assert verdict(admin).kept == []


def first_bad(admin: Admin, edit: Edit, rng: random.Random) -> tuple[int, int | None]:
    """Give what should be named and what is, and undo the edit."""
    with admin.transaction(force_rollback=True):
        expected = edit(admin, rng)
        first = verdict(admin).first
    return expected, first.position if first else None


@pytest.mark.parametrize("edit", EDITS_OF_ALL_KINDS, ids=lambda edit: edit.__name__)
def test_an_edit_of_each_kind_is_found_and_placed(admin: Admin, edit: Edit) -> None:
    expected, named = first_bad(admin, edit, random.Random(7))
    assert named == expected


def test_a_thousand_edits_are_a_thousand_findings(admin: Admin) -> None:
    rng = random.Random(20_260_302)
    edits = [EDITS_OF_ALL_KINDS[number % len(EDITS_OF_ALL_KINDS)] for number in range(EDITS)]
    missed = [
        (edit.__name__, number, expected, named)
        for number, edit in enumerate(edits)
        for expected, named in [first_bad(admin, edit, rng)]
        if named != expected
    ]
    assert missed == []


def test_only_a_checkpoint_finds_a_rewritten_chain(admin: Admin) -> None:
    with admin.transaction(force_rollback=True):
        a_rewritten_chain(admin, random.Random(7))
        assert {each.what for each in verdict(admin).kept} == {"changed"}
        admin.execute("DELETE FROM log_checkpoints")
        assert verdict(admin).kept == []
