"""Checkpoints grow with the log, are kept and handed out, and sign nothing that goes against an earlier one."""

import asyncio
from pathlib import Path

import psycopg
import pytest

from infra.audit.chain import Chain, Row
from infra.audit.checkpoints import Checkpoints, NotSigned
from infra.audit.findings import Findings
from infra.audit.merkle import Tree
from infra.audit.note import ensure_log_key
from infra.audit.signing import keep_signing
from infra.audit.verify_bundle import Checkpoint, open_note
from infra.event_log import EventLog
from infra.signals import EVENTS, Signals
from schemas.ids import new_id
from tests.appending import a_command, open_log, open_pool
from tests.benchmarks import stored_log
from tests.infra.audit.rigs import KEY, OTHER_KEY, signed, verdict, with_holes
from tests.running import until

LOG = with_holes(36)


def root_of_all() -> bytes:
    rows = [Row(each.position, each.stream_id.bytes, *each[2:]) for each in LOG]
    return Tree(b"".join(Chain(Findings()).follow(rows))).root()


async def test_a_log_signed_in_steps_has_the_root_of_all_of_it(database: str, tmp_path: Path) -> None:
    for start, end in ((0, 1), (1, 13), (13, 36)):
        stored_log.write(database, LOG[start:end])
        await signed(database, tmp_path)
    made = await signed(database, tmp_path)
    assert made is not None
    assert open_note(made.note, KEY.public) == Checkpoint(KEY.origin, 36, root_of_all(), LOG[-1].position)


async def test_a_backlog_makes_several(database: str, tmp_path: Path) -> None:
    stored_log.write(database, LOG)
    async with open_pool(database) as pool:
        made = await Checkpoints(pool, KEY, tmp_path, most=10).make()
    assert made is not None
    assert open_note(made.note, KEY.public).root == root_of_all()
    with psycopg.connect(database) as admin:
        assert admin.execute("SELECT size FROM log_checkpoints ORDER BY size").fetchall() == [
            (10,),
            (20,),
            (30,),
            (36,),
        ]
        assert verdict(admin).kept == []


async def test_an_empty_log_is_not_signed(database: str, tmp_path: Path) -> None:
    assert await signed(database, tmp_path) is None


async def test_what_is_handed_out_can_be_checked_with_the_key_beside_it(database: str, tmp_path: Path) -> None:
    stored_log.write(database, LOG)
    await signed(database, tmp_path)
    note, public = (tmp_path / "checkpoint-000000000036.txt").read_text(), (tmp_path / "log-key.pub").read_text()
    assert open_note(note, public).size == len(LOG)


async def test_a_file_that_was_lost_is_written_again(database: str, tmp_path: Path) -> None:
    stored_log.write(database, LOG)
    made = await signed(database, tmp_path)
    file = tmp_path / "checkpoint-000000000036.txt"
    file.unlink()
    assert await signed(database, tmp_path) == made
    assert made is not None
    assert file.read_text() == made.note


async def test_another_checkpoint_of_the_same_size_is_an_alarm(database: str, tmp_path: Path) -> None:
    """A log that was put back from a copy, with its checkpoints, and went on differently."""
    stored_log.write(database, LOG)
    (tmp_path / "checkpoint-000000000036.txt").write_text(KEY.sign(36, b"r" * 32, 72))
    with pytest.raises(NotSigned, match="the log was rewritten since"):
        await signed(database, tmp_path)


async def test_whoever_signs_at_the_same_time_signs_the_same(database: str, tmp_path: Path) -> None:
    stored_log.write(database, LOG)
    made = await asyncio.gather(*(signed(database, tmp_path) for _ in range(5)))
    assert len(set(made)) == 1
    with psycopg.connect(database) as admin:
        assert admin.execute("SELECT count(*) FROM log_checkpoints").fetchone() == (1,)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        ("DELETE FROM stored_events WHERE notification_id > 60", "ends before position 72"),
        ("UPDATE log_checkpoints SET frontier = set_byte(frontier, 5, 255 - get_byte(frontier, 5))", "was changed"),
        ("UPDATE log_checkpoints SET note = replace(note, 'position', 'Position')", "not a checkpoint"),
    ],
)
async def test_a_log_that_was_touched_is_not_signed(database: str, tmp_path: Path, harm: str, says: str) -> None:
    stored_log.write(database, LOG)
    await signed(database, tmp_path)
    with psycopg.connect(database) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute(harm.encode())
    with pytest.raises(NotSigned, match=says):
        await signed(database, tmp_path)


async def test_a_log_has_one_key(database: str, tmp_path: Path) -> None:
    stored_log.write(database, LOG)
    await signed(database, tmp_path)
    with pytest.raises(NotSigned, match="signed by another key"):
        await signed(database, tmp_path, OTHER_KEY)


@pytest.mark.parametrize(
    "harm", ["UPDATE log_checkpoints SET size = 1", "DELETE FROM log_checkpoints", "TRUNCATE log_checkpoints"]
)
async def test_checkpoints_are_only_ever_added(database: str, harm: str) -> None:
    with psycopg.connect(database) as admin, pytest.raises(psycopg.errors.RaiseException, match="only ever added to"):
        admin.execute(harm.encode())


async def test_an_ordinary_role_of_the_database_cannot_read_the_key(database: str, tmp_path: Path) -> None:
    file = tmp_path / "keys" / "log-key"
    ensure_log_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    with psycopg.connect(database) as admin:
        admin.execute("CREATE ROLE clerk IN ROLE pg_read_all_data")
        admin.execute("SET ROLE clerk")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            admin.execute("SELECT pg_read_file(%s)", (str(file),))


async def test_new_events_are_signed_while_a_platform_runs(database: str, tmp_path: Path) -> None:
    async with open_log(database) as opened, Signals(database) as signals:
        checkpoints = Checkpoints(opened.pool, KEY, tmp_path)
        waiter = signals.waiter(EVENTS)
        keeping = asyncio.create_task(keep_signing(checkpoints, EventLog(opened.pool), waiter, events=2, seconds=0.2))
        for size in (1, 3):
            await opened.appender.append(a_command(new_id(), events=max(1, size - 1)))
            file = tmp_path / f"checkpoint-{size:012}.txt"
            await asyncio.to_thread(until, lambda file=file: file if file.exists() else None)
        keeping.cancel()
    with psycopg.connect(database) as admin:
        assert {each.what for each in verdict(admin).kept} <= {"chain"}
