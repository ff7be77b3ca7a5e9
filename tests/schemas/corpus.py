"""The golden corpus: the bytes of every form that was ever stored or sent. `python -m tests.schemas.corpus` adds to it.

A file that is there is never written again, nor is its line in the manifest: what it holds is in somebody's log.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from schemas.commands import encode as encode_command
from schemas.recorded import Recorded, encode
from tests.command_examples import COMMANDS as COMMAND_EXAMPLES
from tests.command_examples import sent
from tests.examples import (
    EVENTS,
    authorised,
    cancelled,
    confirmed,
    declined,
    history,
    placed,
    received,
    recorded,
    released,
    requested,
    reserved,
)
from tests.system.days import a_day

GOLDEN: Final = Path(__file__).parent / "golden"
MANIFEST: Final = GOLDEN / "manifest.json"
STREAMS: Final[Mapping[str, Sequence[Recorded]]] = {
    "a-confirmed-order": history(placed(), received(), reserved(), requested(), authorised(), confirmed()),
    "a-declined-order": history(placed(), received(), reserved(), requested(), declined(), released(), cancelled()),
    "a-day-of-orders": a_day(seed=22),
}
"""Whole histories, one event on each line, whose hashes chain the bytes as they stand here."""


def made() -> Iterator[tuple[str, bytes]]:
    """Give what the forms of today look like, by file name."""
    for event in EVENTS:
        yield f"{event.type}.json", encode(recorded(event))
    for command in COMMAND_EXAMPLES:
        yield f"{command.type}.json", encode_command(sent(command))


def add(folder: Path = GOLDEN) -> None:
    manifest = folder / MANIFEST.name
    known = json.loads(manifest.read_bytes())
    for name, content in made():
        if not (folder / name).exists():
            (folder / name).write_bytes(content)
    for name, recorded_events in STREAMS.items():
        latest = "-".join(sorted({each.event.type.rpartition(".")[2] for each in recorded_events}))
        file = folder / f"{name}.{latest}.jsonl"
        if not file.exists():
            file.write_bytes(b"".join(encode(each) + b"\n" for each in recorded_events))
    everything = dict(sorted({**digests(folder), **known}.items()))
    manifest.write_text(json.dumps(everything, indent=2) + "\n", encoding="utf-8")


def digests(folder: Path = GOLDEN) -> Mapping[str, str]:
    files = sorted(file for file in folder.iterdir() if file.name != MANIFEST.name)
    return {file.name: sha256(file.read_bytes()).hexdigest() for file in files}


if __name__ == "__main__":
    add()
