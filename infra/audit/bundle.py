"""Makes an evidence bundle: the same events and the same checkpoint always give the same bytes."""

import json
import zipfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, Final, NamedTuple

import schemas
from infra.audit import verify_bundle
from infra.audit.merkle import WIDTH, Tree
from infra.audit.selecting import Chosen
from infra.audit.signed import Leaves
from infra.audit.verify_bundle import FORMAT, Checkpoint, csv_of

_SCHEMAS: Final = Path(schemas.__file__).with_name("json")
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest instant that a zip knows; no clock is read."""
_README: Final = """\
Evidence from the event log {origin}
{rule}

events.jsonl    each event as it is stored, one a line; schemas/ says what is in them
events.csv      the same as a table
proofs.jsonl    line by line where in the log each event is, and the path from it to the signed root
checkpoint.txt  what was signed: the log had {size} events, up to position {position}
log-key.pub     the public key; get it from whoever runs the log by another way as well, and compare
manifest.json   what was asked for, and the SHA-256 of every file

To check all of it, with Python 3.11 and the package `cryptography`:

    python verify_bundle.py . --key ORIGIN+ID+KEY

What is personal is in it as it is stored, sealed.
"""


class Signed(NamedTuple):
    """What a bundle is proved with."""

    checkpoint: Checkpoint
    note: str
    key: str


def build(
    chosen: Chosen, signed: Signed, kept: Sequence[Leaves], advance: Callable[[int], None] = lambda _: None
) -> dict[str, bytes]:
    """Give the files by name. `kept` are the leaves of every checkpoint up to the one that is signed, or more."""
    checkpoint = signed.checkpoint
    tree = Tree(b"".join(each.hashes for each in kept)[: WIDTH * checkpoint.size])
    runs = [run for each in kept for run in each.positions]
    proofs = list[bytes]()
    for place, _ in chosen.events:
        index = _index(runs, place.position)
        path = tree.inclusion(index, checkpoint.size)
        proofs.append(
            _json(
                {
                    "position": place.position,
                    "index": index,
                    "stream_id": str(place.stream_id),
                    "version": place.version,
                    "topic": place.topic,
                    "path": [each.hex() for each in path],
                }
            )
        )
        advance(1)
    readme = _README.format(rule="=" * (28 + len(checkpoint.origin)), **checkpoint._asdict())
    files = {
        "README.txt": readme.encode(),
        "checkpoint.txt": signed.note.encode(),
        "events.csv": csv_of([(place.position, json.loads(state)) for place, state in chosen.events]),
        "events.jsonl": b"".join(state + b"\n" for _, state in chosen.events),
        "log-key.pub": f"{signed.key}\n".encode(),
        "proofs.jsonl": b"".join(proofs),
        "verify_bundle.py": Path(verify_bundle.__file__).read_bytes(),
        **_schemas({place.topic for place, _ in chosen.events}),
    }
    return {"manifest.json": _json(_manifest(chosen, checkpoint, files), indent=2), **files}


def _manifest(chosen: Chosen, checkpoint: Checkpoint, files: Mapping[str, bytes]) -> dict[str, Any]:
    streams = Counter(str(place.stream_id) for place, _ in chosen.events)
    return {
        "format": FORMAT,
        "origin": checkpoint.origin,
        "asked": chosen.asked,
        "checkpoint": {"size": checkpoint.size, "position": checkpoint.position},
        "events": len(chosen.events),
        "streams": dict(sorted(streams.items())),
        "stock": chosen.stock,
        "files": {
            name: {"bytes": len(content), "sha256": sha256(content).hexdigest()}
            for name, content in sorted(files.items())
        },
    }


def _schemas(topics: set[str]) -> dict[str, bytes]:
    files = {f"schemas/{topic}.json": _SCHEMAS / f"{topic}.json" for topic in topics}
    return {name: file.read_bytes() for name, file in sorted(files.items()) if file.is_file()}


def _index(runs: Sequence[range], position: int) -> int:
    """Give how many signed events are before a position, which is one of them."""
    run = bisect_right(runs, position, key=lambda each: each.start) - 1
    return sum(len(each) for each in runs[:run]) + position - runs[run].start


def _json(value: object, indent: int | None = None) -> bytes:
    separators = None if indent else (",", ":")
    return (json.dumps(value, ensure_ascii=False, indent=indent, separators=separators) + "\n").encode()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Pack without compressing: what a compressor makes depends on its version."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as out:
        for name, content in sorted(files.items()):
            member = zipfile.ZipInfo(name, _EPOCH)
            member.create_system, member.external_attr = 3, 0o600 << 16
            out.writestr(member, content)
    return archive.getvalue()


def write(files: Mapping[str, bytes], out: Path) -> None:
    """Write a .zip or a folder, for its owner alone. Raises OSError, FileExistsError among others."""
    if out.suffix == ".zip":
        with out.open("xb") as file:
            out.chmod(0o600)
            file.write(zipped(files))
        return
    out.mkdir(mode=0o700, parents=True)
    for name, content in files.items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_bytes(content)
