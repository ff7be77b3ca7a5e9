"""`orderflow audit verify`, as the command carries it out: touched checkpoints, ends that are gone, and `--since`."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from infra.audit.note import KEY_NAME, LogKey, ensure_log_key
from infra.commands.audit_place import place_of
from infra.commands.audit_verify import Order, Verified, carry_out
from infra.commands.failure import Failure
from schemas.ids import new_id
from tests.appending import a_command, open_log
from tests.benchmarks import stored_log
from tests.infra.audit.rigs import OTHER_KEY, signed, with_holes

LOG = with_holes(72)
STEPS = (24, 48, 60)
OTHER_LEAVES = "UPDATE log_checkpoints SET leaves = sha256(leaves) || substr(leaves, 33) WHERE size = 48"
OTHER_FRONTIER = "UPDATE log_checkpoints SET frontier = sha256(frontier) || substr(frontier, 33) WHERE size = 48"
READ_BY_A_PROJECTION = """
INSERT INTO subscription_versions
SELECT 'order_views', originator_id, originator_version FROM stored_events WHERE notification_id = 144
"""
NEWEST = "checkpoint-000000000060.txt"


@pytest.fixture
def home(database: str, tmp_path: Path) -> Path:
    """The data folder of a log that was signed three times; twelve events at its end are not signed."""
    key = ensure_log_key(tmp_path / "keys" / KEY_NAME, "log.example.com/kaffa")
    start = 0
    for end in STEPS:
        stored_log.write(database, LOG[start:end])
        asyncio.run(signed(database, tmp_path / "checkpoints", key))
        start = end
    stored_log.write(database, LOG[start:])
    return tmp_path


def verified(database: str, home: Path, since: str | None = None, *held: Path, key: str | None = None) -> Verified:
    return carry_out(Order(place_of(database, home, key), since, held))


def harm(database: str, *statements: str) -> None:
    with psycopg.connect(database) as admin:
        admin.execute("SET session_replication_role = replica")
        for each in statements:
            admin.execute(each.encode())


def test_an_untouched_log_is_told_whole(database: str, home: Path) -> None:
    told = verified(database, home).told()
    assert told == {
        "well": True,
        "origin": "log.example.com/kaffa",
        "events": 72,
        "checkpoints": 3,
        "since": 0,
        "signed_to": 120,
        "unsigned": 12,
        "findings": 0,
        "first_bad_position": None,
        "examples": [],
    }


@pytest.mark.parametrize(
    ("statement", "position", "what"),
    [
        (OTHER_LEAVES, 96, "checkpoint"),
        (OTHER_FRONTIER, 96, "checkpoint"),
        ("UPDATE log_checkpoints SET positions = '{[2,50)}' WHERE size = 48", 96, "checkpoint"),
        ("UPDATE log_checkpoints SET note = replace(note, '96', '94') WHERE size = 48", 96, "checkpoint"),
        (
            "UPDATE log_checkpoints SET note = (SELECT note FROM log_checkpoints WHERE size = 24) WHERE size = 48",
            96,
            "",
        ),
        ("UPDATE log_checkpoints SET positions = '{[2,4000000000000000)}' WHERE size = 48", 96, "checkpoint"),
        ("UPDATE log_checkpoints SET positions = '{(,)}' WHERE size = 48", 96, "checkpoint"),
        ("UPDATE log_checkpoints SET position = 95 WHERE size = 48", 95, "checkpoint"),
        ("UPDATE log_checkpoints SET size = 47 WHERE size = 48", 96, "checkpoint"),
        ("DELETE FROM log_checkpoints WHERE size = 60", 120, "checkpoint"),
        ("DELETE FROM log_checkpoints", 48, "checkpoint"),
    ],
)
def test_a_touched_checkpoint_is_found(database: str, home: Path, statement: str, position: int, what: str) -> None:
    harm(database, statement)
    first = verified(database, home).findings.first
    assert first is not None
    assert first.position == position
    assert what in first.what


def test_leaves_made_anew_for_an_edit_do_not_hide_it(database: str, home: Path) -> None:
    """Only the place is then lost: it is somewhere after the checkpoint before."""
    harm(
        database,
        "UPDATE stored_events SET topic = 'order.paid.v1' WHERE notification_id = 60",
        OTHER_LEAVES,
    )
    first = verified(database, home).findings.first
    assert first is not None
    assert (first.position, first.what) == (49, "changed")


def test_edits_between_other_checkpoints_are_placed_as_well(database: str, home: Path) -> None:
    """Each stretch is verified by itself, from what is kept of the one before."""
    harm(database, "UPDATE stored_events SET topic = 'order.paid.v1' WHERE notification_id IN (4, 60, 110)")
    found = verified(database, home).findings
    assert [each.position for each in found.kept if each.what == "changed"] == [4, 60, 110]


def test_an_event_before_the_first_position_is_seen(database: str, home: Path) -> None:
    harm(database, "UPDATE stored_events SET notification_id = -4 WHERE notification_id = 4")
    first = verified(database, home).findings.first
    assert first is not None
    assert first.position == -4


def test_checkpoints_signed_with_a_key_of_ones_own_do_not_count(database: str, home: Path) -> None:
    harm(database, "DELETE FROM log_checkpoints", "DELETE FROM stored_events WHERE notification_id > 100")
    asyncio.run(signed(database, home / "forged", OTHER_KEY))
    found = verified(database, home).findings
    assert {each.what for each in found.kept} == {"checkpoint"}
    assert any("signed by another key" in each.says for each in found.kept)


def test_a_log_cut_off_with_its_checkpoints_is_found_by_what_was_handed_out(database: str, home: Path) -> None:
    held = home / "held.txt"
    (home / "checkpoints" / NEWEST).rename(held)
    harm(
        database, "DELETE FROM stored_events WHERE notification_id > 96", "DELETE FROM log_checkpoints WHERE size = 60"
    )
    assert verified(database, home).well
    found = verified(database, home, None, held).findings
    assert [(each.position, each.what) for each in found.kept] == [(120, "checkpoint")]
    assert "keeps it no more" in found.kept[0].says


def test_two_checkpoints_of_one_size_are_two_logs(database: str, home: Path) -> None:
    held = home / "held.txt"
    held.write_text(ensure_log_key(home / "keys" / KEY_NAME).sign(48, b"r" * 32, 96))
    found = verified(database, home, None, held).findings
    assert [(each.position, each.what) for each in found.kept] == [(96, "checkpoint")]
    assert "the log was rewritten" in found.kept[0].says


def test_an_unsigned_end_that_was_answered_for_is_missed(database: str, home: Path) -> None:
    async def append() -> None:
        async with open_log(database) as opened:
            for _ in range(3):
                await opened.appender.append(a_command(new_id()))

    asyncio.run(append())
    assert verified(database, home).well
    harm(database, "DELETE FROM stored_events WHERE notification_id >= 146")
    found = verified(database, home).findings
    assert [(each.position, each.what) for each in found.kept] == [(146, "truncated"), (147, "truncated")]


@pytest.mark.parametrize(
    ("reader", "position"),
    [
        ("INSERT INTO subscription_positions (subscription, position) VALUES ('order_views', 144)", 144),
        ("INSERT INTO relay_positions (relay, position, owner, lease_until) VALUES ('kafka', 144, '', now())", 144),
        (READ_BY_A_PROJECTION, 0),
    ],
)
def test_an_unsigned_end_that_was_read_is_missed(database: str, home: Path, reader: str, position: int) -> None:
    harm(database, reader)
    assert verified(database, home).well
    harm(database, "DELETE FROM stored_events WHERE notification_id > 120")
    found = verified(database, home).findings
    assert [(each.position, each.what) for each in found.kept] == [(position, "truncated")]


@pytest.mark.parametrize("since", ["24", "checkpoints/checkpoint-000000000024.txt"])
def test_since_a_checkpoint_only_the_rest_is_read(database: str, home: Path, since: str) -> None:
    asked = since if since.isdigit() else str(home / since)
    told = verified(database, home, asked)
    assert (told.well, told.since, told.events, told.unsigned) == (True, 24, 48, 12)


@pytest.mark.parametrize("since", ["24", "48", "60"])
def test_since_a_checkpoint_an_edit_after_it_is_found(database: str, home: Path, since: str) -> None:
    harm(database, "UPDATE stored_events SET state = state || ' ' WHERE notification_id = 126")
    found = verified(database, home, since).findings
    assert {each.what for each in found.kept} == {"chain"}


def test_since_a_checkpoint_streams_go_on_from_what_they_had(database: str, home: Path) -> None:
    """Cut in the middle of a life, so that streams have events on both sides."""
    asyncio.run(_signed_at_64(database, home))
    assert verified(database, home, "64").well
    harm(database, "UPDATE stored_events SET state = state || ' ' WHERE notification_id = 128")
    assert {each.what for each in verified(database, home, "64").findings.kept} <= {"chain"}


async def _signed_at_64(database: str, home: Path) -> None:
    key = ensure_log_key(home / "keys" / KEY_NAME)
    later = "DELETE FROM stored_events WHERE notification_id > 128"
    await asyncio.to_thread(harm, database, later)
    await signed(database, home / "checkpoints", key)
    await asyncio.to_thread(stored_log.write, database, LOG[64:])


def test_since_a_checkpoint_a_deletion_before_it_is_counted(database: str, home: Path) -> None:
    harm(database, "DELETE FROM stored_events WHERE notification_id = 4")
    first = verified(database, home, "60").findings.first
    assert first is not None
    assert "has 59 events, and 60 were signed" in first.says


def test_since_a_checkpoint_that_is_not_kept_as_it_was_all_is_verified(database: str, home: Path) -> None:
    harm(database, "DELETE FROM log_checkpoints WHERE size = 24", "DELETE FROM stored_events WHERE notification_id = 4")
    told = verified(database, home, str(home / "checkpoints" / "checkpoint-000000000024.txt"))
    assert told.since == 0
    assert told.findings.first is not None
    assert (told.findings.first.position, told.findings.first.what) == (1, "changed")


def other_key() -> str:
    return LogKey("log.example.com/kaffa", OTHER_KEY.private).public


@pytest.mark.parametrize(
    ("since", "note", "says"),
    [
        ("25", "", "keeps no checkpoint of 25 events"),
        ("nowhere.txt", "", "nowhere.txt cannot be read"),
        ("note.txt", "nonsense", "note.txt: That is not a checkpoint"),
        ("note.txt", OTHER_KEY.sign(24, b"r" * 32, 48), "note.txt: That checkpoint was signed by another key"),
        ("note.txt", LogKey("log/other", OTHER_KEY.private).sign(24, b"r" * 32, 48), "of the log 'log/other'"),
    ],
)
def test_a_checkpoint_that_is_none_of_this_log_is_told(
    database: str, home: Path, since: str, note: str, says: str
) -> None:
    (home / "note.txt").write_text(note)
    with pytest.raises(Failure, match=says):
        verified(database, home, since if since.isdigit() else str(home / since))


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (lambda: "a+b+c", "not a log's public key"),
        (lambda: "nonsense", "'nonsense' is neither a log's public key"),
        (lambda: "x" * 5_000, "neither a log's public key"),
        (other_key, "signed by another key"),
        (lambda: LogKey("log/other", OTHER_KEY.private).public, "and the key is of 'log/other'"),
    ],
)
def test_a_wrong_key_is_told(database: str, home: Path, key: Callable[[], str], says: str) -> None:
    with pytest.raises(Failure, match=says):
        verified(database, home, key=key())


def test_without_a_key_signed_logs_cannot_be_verified(database: str, home: Path, tmp_path: Path) -> None:
    (home / "keys" / "log-key.pub").unlink()
    with pytest.raises(Failure, match="Name the log's public key"):
        verified(database, tmp_path)


def test_a_log_that_was_never_signed_is_verified_by_its_chains(database: str, tmp_path: Path) -> None:
    stored_log.write(database, LOG)
    assert verified(database, tmp_path).unsigned == len(LOG)
    harm(database, "UPDATE stored_events SET state = state || ' ' WHERE notification_id = 6")
    assert not verified(database, tmp_path).well


def test_a_database_of_before_is_told(blank_database: str, tmp_path: Path) -> None:
    with pytest.raises(Failure, match="orderflow migrate"):
        verified(blank_database, tmp_path)


def test_a_database_that_is_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="cannot be reached"):
        verified("postgresql://nobody@127.0.0.1:1/nothing", tmp_path)


def test_bytes_that_were_cut_off_are_seen_where_no_hash_tells(database: str, home: Path) -> None:
    harm(database, "UPDATE stored_events SET state = substr(state, 1, length(state) - 1) WHERE notification_id = 144")
    found = verified(database, home).findings
    assert [(each.position, each.what) for each in found.kept] == [(144, "unreadable")]
