"""Checks an evidence bundle: `python verify_bundle.py BUNDLE --key PUBLIC_KEY`.

This file stands alone, so that an outsider can run and read it: Python 3.11 and the package `cryptography`, no database
and nothing else of OrderFlow. OrderFlow itself uses the same functions, so there is one definition of each hash.

Get the public key from whoever runs the log by another way than the bundle. It is one line, `ORIGIN+ID+KEY`, or a file
with that line. What is proved: every event of the bundle is, byte for byte and at its place, in the log that the signed
checkpoint is of. What is not: that the log has nothing else about the same matter; a bundle of a range is without gaps.
"""

import argparse
import binascii
import csv
import io
import json
import re
import struct
import sys
import zipfile
import zlib
from base64 import b64decode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    sys.exit("This needs the package `cryptography`: python -m pip install cryptography")

FORMAT: Final = "orderflow-evidence-v1"
ED25519: Final = b"\x01"
"""The algorithm, before the bytes of a key (C2SP signed-note)."""
GENESIS: Final = "0" * 64
_RISKY: Final = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins so for a formula."""
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")


class Refused(Exception):  # noqa: N818 - says in a sentence what is wrong
    pass


class Checkpoint(NamedTuple):
    """What was signed: the log of this origin had `size` events, the last at `position`, under this root."""

    origin: str
    size: int
    root: bytes
    position: int


class Place(NamedTuple):
    """Where in the log an event is; with its bytes, all that a leaf binds."""

    position: int
    stream_id: UUID
    version: int
    topic: str


def leaf_hash(place: Place, state: bytes) -> bytes:
    """Hash one event: position, stream, version, length of the topic (big-endian, 8 + 16 + 8 + 4), topic, bytes."""
    topic = place.topic.encode()
    head = struct.pack(">q16sqI", place.position, place.stream_id.bytes, place.version, len(topic))
    return sha256(b"\x00" + head + topic + state).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def root_of(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Give the root that a path leads to (RFC 9162, 2.1.3.2); None when no path of a tree of this size is like it."""
    if not 0 <= index < size:
        return None
    at, last, root = index, size - 1, leaf
    for beside in path:
        if last == 0:
            return None
        if at & 1 or at == last:
            root = node_hash(beside, root)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            root = node_hash(root, beside)
        at, last = at >> 1, last >> 1
    return root if last == 0 else None


def read_key(text: str) -> tuple[str, bytes, bytes]:
    """Give the origin, the id and the bytes of a public key, `ORIGIN+ID+BASE64` (C2SP signed-note's verifier key)."""
    try:
        origin, key_id, key = text.strip().split("+", 2)
        decoded = b64decode(key, validate=True)
    except (ValueError, binascii.Error):
        origin, key_id, decoded = "", "", b""
    kind, public = decoded[:1], decoded[1:]
    if kind != ED25519 or len(public) != 32 or key_id_of(origin, public).hex() != key_id:  # noqa: PLR2004
        raise Refused("That is not a log's public key: one line such as ORIGIN+ID+KEY.")
    return origin, bytes.fromhex(key_id), public


def key_of(text: str) -> str:
    """Give a key that stands there itself or in a file; raises Refused."""
    if text.count("+") > 1:
        return text
    try:
        return Path(text).read_text()
    except (OSError, ValueError):
        raise Refused(
            f"{text[:80]!r} is neither a log's public key, ORIGIN+ID+KEY, nor a file that can be read."
        ) from None


def held_in(file: Path) -> str:
    """Give the checkpoint in a file; raises Refused."""
    try:
        return file.read_text()
    except (OSError, ValueError):
        raise Refused(f"The checkpoint {file} cannot be read.") from None


def key_id_of(origin: str, public: bytes) -> bytes:
    return sha256(origin.encode() + b"\n" + ED25519 + public).digest()[:4]


def open_note(note: str, key: str) -> Checkpoint:
    """Read a signed checkpoint; raises Refused unless this key has signed it for the origin that it names."""
    origin, key_id, public = read_key(key)
    text, _, signatures = note.rpartition("\n\n")
    lines = text.split("\n")
    if len(lines) != 4 or not lines[3].startswith("position "):  # noqa: PLR2004
        raise Refused("That is not a checkpoint.")
    if lines[0] != origin:
        raise Refused(f"That checkpoint is of the log {lines[0]!r}, and the key is of {origin!r}.")
    for line in signatures.splitlines():
        signed = _signature(line, origin)
        if signed[:4] == key_id:
            try:
                Ed25519PublicKey.from_public_bytes(public).verify(signed[4:], f"{text}\n".encode())
            except InvalidSignature:
                raise Refused("The signature of that checkpoint is wrong: it was changed.") from None
            return _read_checkpoint(lines)
    raise Refused("That checkpoint was signed by another key.")


def _signature(line: str, origin: str) -> bytes:
    try:
        return b64decode(line.removeprefix(f"\u2014 {origin} "), validate=True)
    except (ValueError, binascii.Error):
        return b""


def _read_checkpoint(lines: list[str]) -> Checkpoint:
    position = lines[3].removeprefix("position ")
    try:
        root = b64decode(lines[2], validate=True)
    except (ValueError, binascii.Error):
        root = b""
    if not (_NUMBER.fullmatch(lines[1]) and _NUMBER.fullmatch(position) and len(root) == 32):  # noqa: PLR2004
        raise Refused("That is not a checkpoint.")
    return Checkpoint(lines[0], int(lines[1]), root, int(position))


def csv_of(events: Sequence[tuple[int, Any]]) -> bytes:
    """Write positions and envelopes as a table: one column per field, lists as JSON; formulas are made text by `'`."""
    rows = [{"position": str(position), **dict(_cells("", envelope))} for position, envelope in events]
    first = ["position", "stream_id", "category", "version", "event.type", "occurred_at", "tenant_id", "actor"]
    columns = [*first, *sorted({name for row in rows for name in row}.difference(first))]
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(columns)
    table.writerows([row.get(name, "") for name in columns] for row in rows)
    return text.getvalue().encode()


def _cells(path: str, value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _cells(f"{path}.{name}" if path else name, each)
    elif value is not None:
        cell = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield path, f"'{cell}" if cell.startswith(_RISKY) else cell


def read_bundle(path: Path) -> dict[str, bytes]:
    """Read a folder or a .zip; raises Refused."""
    try:
        if path.is_dir():
            files = (each for each in sorted(path.rglob("*")) if each.is_file())
            return {each.relative_to(path).as_posix(): each.read_bytes() for each in files}
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile, zlib.error, ValueError, RuntimeError) as damaged:
        why = (damaged.strerror if isinstance(damaged, OSError) else None) or damaged
        raise Refused(f"{path} cannot be read as a bundle: {why}.") from None


class Bundle(NamedTuple):
    """What a good bundle holds."""

    checkpoint: Checkpoint
    asked: dict[str, Any]
    places: list[tuple[int, Place]]
    """Index among the log's events, and place, of each event."""
    streams: dict[UUID, list[int]]
    """Versions by stream."""


def check(files: dict[str, bytes], key: str, held: str | None = None) -> Bundle:
    """Check everything; `held` is a checkpoint that the outsider has had before. Raises Refused with what is wrong."""
    manifest = _manifest(files)
    checkpoint = open_note(files["checkpoint.txt"].decode(errors="replace"), key)
    if held is not None and (mine := open_note(held, key))[:3] != checkpoint[:3]:
        raise Refused(
            f"The bundle is for the checkpoint of {checkpoint.size} events, and yours is of {mine.size}: ask for one "
            "that was exported with yours."
            if mine.size != checkpoint.size
            else f"Two different checkpoints of {mine.size} events were signed: the log was rewritten."
        )
    states = files["events.jsonl"].removesuffix(b"\n").split(b"\n")
    proofs = files["proofs.jsonl"].removesuffix(b"\n").split(b"\n")
    if len(states) != len(proofs):
        raise Refused(f"The bundle has {len(states)} events and {len(proofs)} proofs.")
    bundle = Bundle(checkpoint, manifest["asked"], [], {})
    envelopes: list[tuple[int, Any]] = []
    before: dict[UUID, tuple[int, bytes]] = {}
    for number, (state, proof) in enumerate(zip(states, proofs, strict=True), start=1):
        index, place, path = _proof(proof, number)
        envelope = _envelope(state, place, number)
        _check_event(place, envelope, before.get(place.stream_id))
        if root_of(leaf_hash(place, state), index, checkpoint.size, path) != checkpoint.root:
            raise Refused(f"The event at position {place.position} is not in the log that was signed, or was changed.")
        before[place.stream_id] = place.version, state
        bundle.places.append((index, place))
        bundle.streams.setdefault(place.stream_id, []).append(place.version)
        envelopes.append((place.position, envelope))
    _check_whole(bundle, manifest)
    if files["events.csv"] != csv_of(envelopes):
        raise Refused("events.csv does not say what events.jsonl says.")
    return bundle


def _manifest(files: dict[str, bytes]) -> dict[str, Any]:
    try:
        manifest = json.loads(files["manifest.json"])
        hashes = {name: told["sha256"] for name, told in manifest["files"].items()}
        known = manifest["format"] == FORMAT and isinstance(manifest["asked"], dict)
        whole = {UUID(stream_id): int(count) for stream_id, count in manifest["streams"].items()}
    except KeyError as missing:
        raise Refused(f"The bundle has no {missing.args[0]}.") from None
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise Refused("manifest.json is damaged.") from None
    if not known:
        raise Refused(f"The bundle is not of the format {FORMAT}.")
    needed = {"checkpoint.txt", "events.jsonl", "events.csv", "proofs.jsonl"}
    for name in sorted({*hashes, *needed}):
        if name not in files or name not in hashes:
            raise Refused(f"The bundle has no {name}.")
        if sha256(files[name]).hexdigest() != hashes[name]:
            raise Refused(f"{name} is damaged: its SHA-256 is not the one of the manifest.")
    if strange := sorted(files.keys() - hashes.keys() - {"manifest.json"}):
        raise Refused(f"{strange[0]} is not in the manifest.")
    return {**manifest, "streams": whole}


def _proof(line: bytes, number: int) -> tuple[int, Place, list[bytes]]:
    try:
        told = json.loads(line)
        place = Place(int(told["position"]), UUID(told["stream_id"]), int(told["version"]), str(told["topic"]))
        leaf_hash(place, b"")
        return int(told["index"]), place, [bytes.fromhex(each) for each in told["path"]]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, struct.error):
        raise Refused(f"Line {number} of proofs.jsonl is damaged.") from None


def _envelope(state: bytes, place: Place, number: int) -> dict[str, Any]:
    try:
        envelope: dict[str, Any] = json.loads(state)
        said = UUID(envelope["stream_id"]), envelope["version"], envelope["event"]["type"]
        _ = envelope["prev"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Refused(f"Line {number} of events.jsonl is damaged.") from None
    if said != (place.stream_id, place.version, place.topic):
        raise Refused(f"The event at position {place.position} says of itself another stream, version or type.")
    return envelope


def _check_event(place: Place, envelope: dict[str, Any], before: tuple[int, bytes] | None) -> None:
    first = sha256(before[1]).hexdigest() if before else GENESIS
    follows = place.version == 1 if before is None else place.version == before[0] + 1
    if follows and envelope["prev"] != first:
        raise Refused(f"The event at position {place.position} does not follow the one before it in its stream.")
    if before is not None and not follows:
        raise Refused(f"Before position {place.position} an event of the stream {place.stream_id} is missing.")


def _check_whole(bundle: Bundle, manifest: dict[str, Any]) -> None:
    """Check that nothing was left out: of a range any index, of streams any version up to their last."""
    indexes = [index for index, _ in bundle.places]
    if "from" in bundle.asked:
        whole = indexes == list(range(indexes[0], indexes[0] + len(indexes)))
    else:
        whole = all(versions[0] == 1 for versions in bundle.streams.values()) and indexes == sorted(set(indexes))
    counts = {stream_id: len(versions) for stream_id, versions in bundle.streams.items()}
    if not whole or counts != manifest["streams"]:
        raise Refused("An event is missing from the bundle.")
    if "order" in bundle.asked and bundle.asked["order"] not in map(str, bundle.streams):
        raise Refused(f"The bundle is for the order {bundle.asked['order']}, which is not in it.")


def main() -> int:
    parser = argparse.ArgumentParser(description="Check an evidence bundle of an OrderFlow event log.")
    parser.add_argument("bundle", type=Path, help="the folder or .zip")
    parser.add_argument("--key", required=True, help="the log's public key, or a file that holds it")
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint that you were given before, to compare with")
    asked = parser.parse_args()
    try:
        bundle = check(
            read_bundle(asked.bundle), key_of(asked.key), held_in(asked.checkpoint) if asked.checkpoint else None
        )
    except (Refused, RecursionError) as wrong:
        sys.stderr.write(f"NOT PROVED: {wrong}\n")
        return 1
    size, position = bundle.checkpoint.size, bundle.checkpoint.position
    matter = ", ".join(f"{name} {value}" for name, value in bundle.asked.items())
    sys.stdout.write(
        f"PROVED: {len(bundle.places)} events of {len(bundle.streams)} streams ({matter}) are in the log "
        f"{bundle.checkpoint.origin}, as signed when it had {size} events, up to position {position}.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
