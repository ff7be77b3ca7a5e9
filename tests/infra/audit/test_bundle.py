"""Evidence bundles: made the same each time, checked by a file that knows nothing of OrderFlow, damaged in any way."""

import asyncio
import csv
import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import jsonschema
import psycopg
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from infra.audit import verify_bundle
from infra.audit.note import KEY_NAME, LogKey, ensure_log_key
from infra.audit.verify_bundle import Refused, check, csv_of, read_bundle
from infra.commands.audit_export import Exported, Order, carry_out
from infra.commands.audit_place import place_of
from infra.commands.failure import Failure
from infra.event_log import Stored
from schemas.events import Event
from schemas.ids import payment_id
from schemas.recorded import GENESIS, digest
from tests.benchmarks import stored_log
from tests.examples import (
    CUSTOMER_ID,
    NOON,
    ORDER_ID,
    OTHER_ORDER_ID,
    a_line,
    a_pick,
    authorised,
    captured,
    completed,
    confirmed,
    delivered,
    dispatched,
    listed,
    placed,
    received,
    recorded,
    requested,
    reserved,
    shipped,
)
from tests.infra.audit.rigs import OTHER_KEY, signed

STRANGER = UUID(int=8)


def shop_log() -> list[Stored]:
    """Give the lives of three orders, the last of somebody else, an event a minute from noon on, at even positions."""
    events: list[tuple[Event, UUID]] = [(listed(), ORDER_ID), (received(100), ORDER_ID)]
    for order_id, customer_id in ((ORDER_ID, CUSTOMER_ID), (OTHER_ORDER_ID, CUSTOMER_ID), (STRANGER, STRANGER)):
        life = (
            placed(a_line(), customer_id=customer_id),
            reserved(order_id=order_id),
            requested(order_id=order_id),
            authorised(order_id=order_id),
            confirmed(a_line()),
            shipped(a_pick()),
            dispatched(order_id=order_id),
            captured(order_id=order_id),
            delivered(),
            completed(),
        )
        events += ((event, order_id) for event in life)
    log = list[Stored]()
    heads: dict[UUID, tuple[int, str]] = {}
    for number, (event, order_id) in enumerate(events):
        stream_id = recorded(event, order_id=order_id).stream_id
        version, prev = heads.get(stream_id, (0, GENESIS))
        at = NOON + timedelta(minutes=number)
        fact = recorded(event, version + 1, order_id=order_id, occurred_at=at, prev=prev)
        log.append(Stored.of(2 * number + 2, fact))
        heads[stream_id] = version + 1, digest(log[-1].state)
    return log


LOG = shop_log()


@dataclass(frozen=True, slots=True)
class Shop:
    database: str
    home: Path

    @property
    def key(self) -> LogKey:
        return ensure_log_key(self.home / "keys" / KEY_NAME)

    def export(  # noqa: PLR0913 - the options of the command
        self,
        *,
        order: UUID | None = None,
        customer: UUID | None = None,
        first: str | None = None,
        last: str | None = None,
        checkpoint: str | None = None,
        out: str = "bundle.zip",
    ) -> Exported:
        asked = Order(order, customer, first, last, checkpoint, self.home / out)
        return carry_out(asked, place_of(self.database, self.home))

    def files(self, out: str = "bundle.zip") -> dict[str, bytes]:
        return read_bundle(self.home / out)


@pytest.fixture(scope="module")
def module_shop(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = Shop(module_database, tmp_path_factory.mktemp("shop"))
    for start, end in ((0, 16), (16, 32)):
        stored_log.write(module_database, LOG[start:end])
        asyncio.run(signed(module_database, shop.home / "checkpoints", shop.key))
    return shop


@pytest.fixture
def shop(module_shop: Shop, tmp_path: Path) -> Shop:
    """One that has a folder of its own."""
    shutil.copytree(module_shop.home, tmp_path, dirs_exist_ok=True)
    return Shop(module_shop.database, tmp_path)


def test_an_order_comes_with_its_payment_and_says_where_its_stock_is(shop: Shop) -> None:
    shop.export(order=ORDER_ID)
    manifest = json.loads(shop.files()["manifest.json"])
    assert manifest["streams"].keys() == {str(ORDER_ID), str(payment_id(ORDER_ID))}
    assert [each["positions"] for each in manifest["stock"]] == [[8, 18]]


def test_a_customer_gets_every_order_of_theirs(shop: Shop) -> None:
    assert shop.export(customer=CUSTOMER_ID).streams == 4


@pytest.mark.parametrize(
    ("first", "last", "events"),
    [
        ("1", None, 32),
        ("3", "8", 3),
        ("64", "64", 1),
        ("2026-03-02T12:00:00Z", None, 32),
        ("2026-03-02T12:00:01Z", None, 31),
        ("2026-03-02T12:03:00Z", "2026-03-02T14:05:59+02:00", 3),
        ("60", "2027-01-01T00:00:00Z", 3),
    ],
)
def test_a_stretch_of_the_log_is_whole(shop: Shop, first: str, last: str | None, events: int) -> None:
    assert shop.export(first=first, last=last).events == events


def test_the_same_input_gives_the_same_bytes_also_when_the_log_has_grown(shop: Shop) -> None:
    shop.export(order=ORDER_ID)
    asyncio.run(signed(shop.database, shop.home / "checkpoints", shop.key))
    shop.export(order=ORDER_ID, out="again.zip")
    assert (shop.home / "again.zip").read_bytes() == (shop.home / "bundle.zip").read_bytes()


def test_a_folder_holds_the_same_as_a_zip(shop: Shop) -> None:
    shop.export(order=ORDER_ID)
    shop.export(order=ORDER_ID, out="folder")
    assert shop.files("folder") == shop.files()


def test_a_bundle_is_for_its_owner_alone(shop: Shop) -> None:
    shop.export(order=ORDER_ID)
    shop.export(order=ORDER_ID, out="folder")
    assert [(shop.home / each).stat().st_mode & 0o077 for each in ("bundle.zip", "folder")] == [0, 0]


def test_each_event_is_what_its_schema_says(shop: Shop) -> None:
    shop.export(first="1")
    files = shop.files()
    for line in files["events.jsonl"].splitlines():
        event = json.loads(line)
        jsonschema.validate(event, json.loads(files[f"schemas/{event['event']['type']}.json"]))


def test_the_checkpoint_that_an_outsider_has_can_be_named(shop: Shop) -> None:
    held = shop.home / "checkpoints" / "checkpoint-000000000032.txt"
    shop.export(order=ORDER_ID, checkpoint=str(held))
    assert check(shop.files(), shop.key.public, held.read_text()).checkpoint.size == 32


def verify(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the verifier of a bundle as an outsider does: isolated, in another folder, with nothing of ours to import."""
    command = [sys.executable, "-I", str(folder / "verify_bundle.py"), *arguments]
    return subprocess.run(command, cwd="/", env={}, capture_output=True, text=True, timeout=30, check=False)


def test_an_outsider_proves_it_with_the_file_inside_and_nothing_else(shop: Shop) -> None:
    shop.export(order=ORDER_ID)
    with zipfile.ZipFile(shop.home / "bundle.zip") as archive:
        archive.extractall(shop.home / "outside")
    outside = shop.home / "outside"
    for bundle in (outside, shop.home / "bundle.zip"):
        done = verify(outside, str(bundle), "--key", shop.key.public)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("PROVED: 8 events of 2 streams")
    refused = verify(outside, str(outside), "--key", OTHER_KEY.public)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)


def test_an_outsider_without_the_one_package_is_told_to_install_it() -> None:
    command = [sys.executable, "-I", "-S", verify_bundle.__file__, "bundle.zip", "--key", "key"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "This needs the package `cryptography`: python -m pip install cryptography\n"


def test_a_file_that_is_not_there_is_told_to_an_outsider_in_a_sentence(shop: Shop) -> None:
    shop.export(order=ORDER_ID, out="outside")
    outside, key = shop.home / "outside", shop.key.public
    for arguments, says in (
        ((str(outside), "--key", "nowhere"), "'nowhere' is neither a log's public key, ORIGIN+ID+KEY, nor a file"),
        ((str(outside), "--key", ""), "'' is neither a log's public key"),
        ((str(outside), "--key", key, "--checkpoint", "/nowhere"), "The checkpoint /nowhere cannot be read."),
        (("/nowhere", "--key", key), "/nowhere cannot be read as a bundle: No such file or directory."),
    ):
        told = verify(outside, *arguments)
        assert (told.returncode, told.stdout) == (1, "")
        assert told.stderr.startswith(f"NOT PROVED: {says}")


def edited(name: str, old: bytes, new: bytes) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    """Change a file, and the manifest with it, as somebody does who knows how."""

    def edit(files: dict[str, bytes]) -> dict[str, bytes]:
        assert old in files[name]
        return resealed({**files, name: files[name].replace(old, new, 1)})

    return edit


def resealed(files: dict[str, bytes]) -> dict[str, bytes]:
    manifest = json.loads(files["manifest.json"])
    manifest["files"] = {
        name: {"sha256": sha256(content).hexdigest()} for name, content in files.items() if name != "manifest.json"
    }
    return {**files, "manifest.json": json.dumps(manifest).encode()}


def without_line(number: int) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    def edit(files: dict[str, bytes]) -> dict[str, bytes]:
        for name in ("events.jsonl", "proofs.jsonl"):
            lines = files[name].splitlines(keepends=True)
            files = {**files, name: b"".join(lines[:number] + lines[number + 1 :])}
        return resealed(files)

    return edit


def without(name: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda files: {each: content for each, content in files.items() if each != name}


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda files: {**files, "events.jsonl": files["events.jsonl"] + b" "}, "events.jsonl is damaged: its SHA-256"),
        (lambda files: {**files, "more.txt": b""}, "more.txt is not in the manifest"),
        (lambda files: {**files, "manifest.json": b"{"}, "manifest.json is damaged"),
        (lambda files: {**files, "manifest.json": b"[]"}, "manifest.json is damaged"),
        (lambda _: {}, "The bundle has no manifest.json"),
        (without("proofs.jsonl"), "The bundle has no proofs.jsonl"),
        (without("README.txt"), "The bundle has no README.txt"),
        (edited("events.jsonl", b'"user:ana"', b'"user:bob"'), "is not in the log that was signed, or was changed"),
        (edited("events.jsonl", b'"version":1', b'"version":2'), "says of itself another stream, version or type"),
        (edited("events.jsonl", b'{"event_id"', b'"event_id"'), "Line 1 of events.jsonl is damaged"),
        (edited("events.csv", b"kaffa", b"other"), "events.csv does not say what events.jsonl says"),
        (edited("proofs.jsonl", b'"path":["', b'"path":["00'), "is not in the log that was signed"),
        (edited("proofs.jsonl", b'"path":["', b'"path":["x'), "Line 1 of proofs.jsonl is damaged"),
        (edited("proofs.jsonl", b'"index":2', b'"index":3'), "is not in the log that was signed"),
        (edited("proofs.jsonl", b'"position":6', b'"position":5'), "is not in the log that was signed"),
        (edited("proofs.jsonl", b'"position":6', b'"position":-6'), "is not in the log that was signed"),
        (edited("proofs.jsonl", b'"version":1', b'"version":99999999999999999999'), "proofs.jsonl is damaged"),
        (edited("checkpoint.txt", b"position 32", b"position 34"), "was changed"),
        (edited("checkpoint.txt", b"\n16\n", b"\n17\n"), "was changed"),
        (without_line(0), "An event is missing|an event of the stream"),
        (without_line(3), "is missing|does not follow"),
        (without_line(7), "An event is missing from the bundle"),
        (edited("proofs.jsonl", b"\n", b"\n\n"), "8 events and 9 proofs"),
    ],
)
def test_a_damaged_bundle_is_told(
    shop: Shop, damage: Callable[[dict[str, bytes]], dict[str, bytes]], says: str
) -> None:
    shop.export(order=ORDER_ID)
    with pytest.raises(Refused, match=says):
        check(damage(shop.files()), shop.key.public)


def test_a_bundle_is_for_what_it_says(shop: Shop) -> None:
    shop.export(order=ORDER_ID)
    files = shop.files()
    manifest = json.loads(files["manifest.json"])
    other = {**manifest, "asked": {"order": str(OTHER_ORDER_ID)}}
    with pytest.raises(Refused, match=f"for the order {OTHER_ORDER_ID}, which is not in it"):
        check({**files, "manifest.json": json.dumps(other).encode()}, shop.key.public)


@pytest.mark.parametrize(("asked", "line"), [({"order": ORDER_ID}, 0), ({"first": "1"}, 11)])
def test_what_is_missing_is_seen_also_when_the_manifest_does_without(
    shop: Shop, asked: dict[str, object], line: int
) -> None:
    shop.export(**asked)  # type: ignore[arg-type]  # of a table
    files = shop.files()
    stream_id = json.loads(files["proofs.jsonl"].splitlines()[line])["stream_id"]
    manifest = json.loads(files["manifest.json"])
    manifest["streams"][stream_id] -= 1
    with pytest.raises(Refused, match="missing"):
        check(without_line(line)({**files, "manifest.json": json.dumps(manifest).encode()}), shop.key.public)


def test_of_a_stretch_no_event_may_be_missing(shop: Shop) -> None:
    shop.export(first="1")
    with pytest.raises(Refused, match="missing"):
        check(without_line(5)(shop.files()), shop.key.public)


@given(data=st.data())
def test_no_byte_of_an_event_can_be_another(module_shop: Shop, data: st.DataObject) -> None:
    files = bundle_of(module_shop)
    lines = files["events.jsonl"]
    at = data.draw(st.integers(0, len(lines) - 2))
    changed = lines[:at] + bytes([lines[at] ^ data.draw(st.integers(1, 255))]) + lines[at + 1 :]
    with pytest.raises(Refused):
        check(resealed({**files, "events.jsonl": changed}), module_shop.key.public)


@given(data=st.data())
def test_whatever_is_damaged_is_told_in_a_sentence(module_shop: Shop, data: st.DataObject) -> None:
    files = bundle_of(module_shop)
    name = data.draw(st.sampled_from(sorted(files)))
    other = data.draw(
        st.binary(max_size=40) | st.sampled_from([b"{}", b"[]", b"null", b"[" * 200_000, b'{"files":{}}'])
    )
    at = data.draw(st.integers(0, len(files[name])))
    damaged = {**files, name: data.draw(st.sampled_from([other, files[name][:at] + other + files[name][at + 1 :]]))}
    assume(damaged != files)
    for each in (damaged, damaged if name == "manifest.json" else resealed(damaged)):
        with suppress(Refused):  # a text for readers may be another one, if the manifest says so
            check(each, module_shop.key.public)


def bundle_of(shop: Shop) -> dict[str, bytes]:
    if not (shop.home / "shared.zip").exists():
        shop.export(order=ORDER_ID, out="shared.zip")
    return shop.files("shared.zip")


def test_the_outsiders_checkpoint_has_to_be_the_one_of_the_bundle(shop: Shop) -> None:
    shop.export(order=ORDER_ID)
    later = (shop.home / "checkpoints" / "checkpoint-000000000032.txt").read_text()
    with pytest.raises(Refused, match="checkpoint of 16 events, and yours is of 32"):
        check(shop.files(), shop.key.public, later)
    with pytest.raises(Refused, match="Two different checkpoints of 16 events were signed"):
        check(shop.files(), shop.key.public, shop.key.sign(16, b"r" * 32, 32))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04nonsense", b"nonsense"])
def test_a_file_that_is_no_bundle_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bundle.zip").write_bytes(content)
    with pytest.raises(Refused, match="cannot be read as a bundle"):
        read_bundle(tmp_path / "bundle.zip")


cells = st.text(max_size=8) | st.sampled_from(
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "a,b", 'say "x"', "1\n2"]
)


@given(st.dictionaries(st.sampled_from(["name", "note", "delta"]), cells | st.integers() | st.none()))
def test_no_cell_of_the_table_is_a_formula(fields: dict[str, object]) -> None:
    table = csv_of([(4, {"actor": "user:ana", "event": {"type": "x", **fields}})])
    header, row = csv.reader(io.StringIO(table.decode(), newline=""))
    told = dict(zip(header, row, strict=True))
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)
    for name, value in fields.items():
        if value is not None:
            assert told[f"event.{name}"].removeprefix("'") == str(value).removeprefix("'")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, "Name what to export"),
        ({"last": "5"}, "Name what to export"),
        ({"order": ORDER_ID, "first": "5"}, "Name what to export"),
        ({"order": UUID(int=7)}, "holds no order 00000000-0000-0000-0000-000000000007"),
        ({"order": payment_id(ORDER_ID)}, "is no order: its first event is payment.requested.v1"),
        ({"customer": UUID(int=7)}, "holds no order of the customer"),
        ({"first": "0"}, "positions 1 to 64, and none is 0"),
        ({"first": "65"}, "positions 1 to 64, and none is 65"),
        ({"first": "1", "last": "65"}, "positions 1 to 64, and none is 65"),
        ({"first": "9", "last": "4"}, "No event is there from position 9 to 4"),
        ({"first": "9", "last": "9"}, "No event is there from position 9 to 9"),
        ({"first": "yesterday"}, "neither a position nor an instant"),
        ({"first": "-1"}, "neither a position nor an instant"),
        ({"first": "2026-03-02T12:30:00"}, "neither a position nor an instant"),
        ({"first": "2026-03-01T00:00:00Z"}, "The log begins at"),
        ({"first": "1", "last": "2026-03-01T00:00:00Z"}, "The log begins at"),
        ({"first": "2027-01-01T00:00:00Z"}, "The log ends at"),
        ({"first": "1", "checkpoint": "16"}, "positions up to 32, and the last event is at 64"),
        ({"first": "1", "checkpoint": "15"}, "keeps no such checkpoint: 15"),
        ({"first": "1", "checkpoint": "/nowhere"}, "/nowhere cannot be read"),
        ({"first": "1", "out": "keys"}, "is there already"),
        ({"first": "1", "out": "nowhere/bundle.zip"}, "cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_exported_is_told(shop: Shop, asked: dict[str, object], says: str) -> None:
    with pytest.raises(Failure, match=says):
        shop.export(**asked)  # type: ignore[arg-type]  # of a table


def test_a_log_that_was_touched_is_not_exported(database: str, tmp_path: Path) -> None:
    shop = Shop(database, tmp_path)
    stored_log.write(database, LOG)
    asyncio.run(signed(database, tmp_path / "checkpoints", shop.key))
    with psycopg.connect(database) as admin:
        admin.execute(
            "UPDATE stored_events SET state = replace(convert_from(state, 'UTF8'), 'user:ana', 'user:bob')::bytea"
        )
    with pytest.raises(Failure, match=r"position 6 is not in the log that was signed.*Nothing was exported"):
        shop.export(order=ORDER_ID)
    assert not (tmp_path / "bundle.zip").exists()


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        ("UPDATE stored_events SET state = state || ' ' WHERE notification_id = 6", "position 14 does not follow"),
        ("DELETE FROM stored_events WHERE notification_id = 14", "Before position 16 an event of the stream"),
    ],
)
def test_a_log_that_was_touched_before_it_was_signed_proves_nothing(
    database: str, tmp_path: Path, harm: str, says: str
) -> None:
    shop = Shop(database, tmp_path)
    stored_log.write(database, LOG)
    with psycopg.connect(database) as admin:
        admin.execute(harm.encode())
    asyncio.run(signed(database, tmp_path / "checkpoints", shop.key))
    with pytest.raises(Failure, match=says):
        shop.export(order=ORDER_ID)


def test_what_no_checkpoint_holds_yet_is_signed_first(database: str, tmp_path: Path) -> None:
    shop = Shop(database, tmp_path)
    assert shop.key.origin
    stored_log.write(database, LOG)
    assert shop.export(order=ORDER_ID).checkpoint.size == len(LOG)


def test_an_empty_log_has_nothing_to_export(database: str, tmp_path: Path) -> None:
    with pytest.raises(Failure, match="The log is empty"):
        Shop(database, tmp_path).export(first="1")
