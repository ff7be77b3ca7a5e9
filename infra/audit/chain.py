"""Follows the hash chain of every stream through the log, and hashes each event for the tree.

The few fields that the chain needs are cut out of the bytes in the form in which they are always written; what is not
in that form is parsed. So a million events take seconds, and any JSON is understood.
"""

import json
import re
from binascii import hexlify
from collections.abc import Iterable
from hashlib import sha256
from struct import Struct
from typing import Final, NamedTuple
from uuid import UUID

from infra.audit.findings import Findings
from schemas.recorded import GENESIS

_ENVELOPE: Final = re.compile(
    rb'\{"event_id":"[^"\\]*","stream_id":"([0-9a-f-]{36})","category":"([a-z]+)","version":([1-9][0-9]*),'
    rb'"occurred_at":"[^"\\]*","tenant_id":"[^"\\]*","actor":"[^"\\]*","trace":\{[^{}]*\},"prev":"([0-9a-f]{64})",'
    rb'"event":\{"type":"([a-z0-9_.]+)"[,}]'
)
_HEAD: Final = Struct(">q16sqI")
_GENESIS: Final = bytes.fromhex(GENESIS)


class Row(NamedTuple):
    """One row of the log, as the database holds it: a superuser may have put anything there."""

    position: int
    stream_id: bytes
    version: int
    topic: str | None
    state: bytes | None


class Head(NamedTuple):
    """The newest event of a stream."""

    version: int
    digest: bytes


class Chain:
    def __init__(self, findings: Findings, heads: dict[bytes, Head] | None = None) -> None:
        """Begin with the first event, or with the heads that the streams had before what is followed."""
        self._findings = findings
        self._heads: dict[bytes, tuple[int, bytes]] = dict(heads or {})
        self._position = 0
        self.events = 0

    def follow(self, rows: Iterable[Row], *, wholly: bool = False) -> list[bytes]:
        """Check rows in the order of their positions; give the leaf hash of each.

        With `wholly` all of the bytes have to be JSON, as behind the last checkpoint, where no hash may tell.
        """
        heads, add, last = self._heads, self._findings.add, self._position
        envelope, pack, leaves = _ENVELOPE.match, _HEAD.pack, list[bytes]()
        for position, stream_id, version, topic, state in rows:
            told, held = (topic or "").encode(), state or b""
            leaves.append(sha256(b"\x00" + pack(position, stream_id, version, len(told)) + told + held).digest())
            if position <= last:
                add(position, "position", "Positions begin with 1, and no two events share one.")
            last = position
            known_version, digest = heads.get(stream_id) or (0, _GENESIS)
            if found := None if wholly else envelope(held):
                stream, category, said, prev, kind = found.groups()
                agrees = (
                    kind == told
                    and stream.replace(b"-", b"") == hexlify(stream_id)
                    and int(said) == version
                    and kind.startswith(category + b".")
                )
            else:
                agrees, prev = _parsed(stream_id, version, told, held)
            if prev is None:
                add(position, "unreadable", "The stored bytes are not an event.")
            elif not agrees:
                add(position, "columns", "The columns do not say what the stored bytes say.")
            if version != known_version + 1:
                add(position, "version", _gap(stream_id, version, known_version))
            elif prev is not None and prev != hexlify(digest):
                add(position, "chain", _broken(stream_id, version))
            heads[stream_id] = version, sha256(held).digest()
        self._position = last
        self.events += len(leaves)
        return leaves


def _parsed(stream_id: bytes, version: int, topic: bytes, state: bytes) -> tuple[bool, bytes | None]:
    """Read bytes of another form; gives whether the columns agree, and `prev`, which is None when it is no event."""
    try:
        told = json.loads(state)
        stream, kind, prev = UUID(told["stream_id"]).bytes, told["event"]["type"].encode(), told["prev"].encode()
        agrees = kind.startswith(f"{told['category']}.".encode()) and told["version"] == version
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False, None
    return agrees and stream == stream_id and kind == topic, prev


def _gap(stream_id: bytes, version: int, known: int) -> str:
    return f"Stream {UUID(bytes=stream_id)} has version {version} here, after version {known}."


def _broken(stream_id: bytes, version: int) -> str:
    before = f"version {version - 1} of stream {UUID(bytes=stream_id)}" if version > 1 else "nothing before it"
    return f"Its hash of {before} is another: one of the two was changed."
