"""Signed notes of the log's checkpoints, and the files that hold its key."""

from pathlib import Path

import pytest

from infra.audit.note import LogKey, WrongKey, ensure_log_key, public_of, read_log_key
from infra.audit.verify_bundle import Checkpoint, Refused, open_note, read_key
from tests.infra.audit.rigs import KEY, OTHER_KEY

ROOT = b"r" * 32
NOTE = KEY.sign(204, ROOT, 408)


def test_a_note_says_what_was_signed() -> None:
    assert open_note(NOTE, KEY.public) == Checkpoint("log.example.com/kaffa", 204, ROOT, 408)


def test_a_note_is_the_same_whenever_it_is_signed() -> None:
    assert KEY.sign(204, ROOT, 408) == NOTE


def test_the_form_is_that_of_signed_notes() -> None:
    """As C2SP's tlog-checkpoint has it: origin, size, root, one line of our own, an empty line, the signature."""
    origin, size, root, position, empty, signature, end = NOTE.split("\n")
    assert (origin, size, root, position, empty, end) == (
        "log.example.com/kaffa",
        "204",
        "cnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnI=",
        "position 408",
        "",
        "",
    )
    assert signature.startswith("\u2014 log.example.com/kaffa ")


def test_a_witness_may_sign_it_as_well() -> None:
    assert open_note(NOTE + "\u2014 witness.example.org bm90IG91cnM=\n", KEY.public).size == 204


@pytest.mark.parametrize("at", range(0, len(NOTE) - 1, 3))
def test_a_note_with_another_character_is_refused(at: int) -> None:
    other = "A" if NOTE[at] != "A" else "B"
    with pytest.raises(Refused):
        open_note(f"{NOTE[:at]}{other}{NOTE[at + 1 :]}", KEY.public)


@pytest.mark.parametrize(
    ("note", "key", "says"),
    [
        (NOTE, OTHER_KEY.public, "signed by another key"),
        (NOTE, LogKey("log.example.com/other", KEY.private).public, "of the log 'log.example.com/kaffa'"),
        (NOTE.replace("\n204\n", "\n205\n"), KEY.public, "was changed"),
        ("", KEY.public, "not a checkpoint"),
        ("\n\n", KEY.public, "not a checkpoint"),
        (NOTE.partition("\n\n")[0] + "\n\n", KEY.public, "signed by another key"),
        (KEY.sign(1, b"short", 1), KEY.public, "not a checkpoint"),
        (NOTE, "nonsense", "not a log's public key"),
        (NOTE, "", "not a log's public key"),
        (NOTE, KEY.public[:-4], "not a log's public key"),
        (NOTE, KEY.public.replace("kaffa", "other"), "not a log's public key"),
    ],
)
def test_what_is_wrong_is_said(note: str, key: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        open_note(note, key)


def test_a_key_is_made_once_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "log-key"
    made = ensure_log_key(file)
    assert ensure_log_key(file).public == read_log_key(file).public == made.public
    assert read_key(public_of(file).read_text())[0] == made.origin
    assert file.stat().st_mode & 0o777 == 0o600


def test_two_logs_have_two_origins(tmp_path: Path) -> None:
    assert ensure_log_key(tmp_path / "one").origin != ensure_log_key(tmp_path / "two").origin


@pytest.mark.parametrize("origin", ["two words", "a+b", "line\nbreak", ""])
def test_an_origin_that_no_note_can_name_is_refused(tmp_path: Path, origin: str) -> None:
    with pytest.raises(WrongKey, match="neither spaces nor plus signs"):
        ensure_log_key(tmp_path / "log-key", origin)


@pytest.mark.parametrize("text", ["", "PRIVATE+KEY+", "PRIVATE+KEY+a+00000000+AQ==", "nonsense", KEY.public])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "log-key"
    file.write_text(text)
    with pytest.raises(WrongKey, match="does not hold a log's key"):
        read_log_key(file)


def test_a_key_of_another_origin_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "log-key"
    made = ensure_log_key(file, "mine")
    file.write_text(file.read_text().replace("+mine+", "+yours+"))
    with pytest.raises(WrongKey, match="does not hold"):
        read_log_key(file)
    assert made.origin == "mine"


def test_a_key_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(WrongKey, match="cannot be read"):
        read_log_key(tmp_path / "nothing")
