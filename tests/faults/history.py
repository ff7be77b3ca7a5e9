"""What clients saw of a platform: one line of JSON per call and per look, all that the checker knows of them."""

import json
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal
from uuid import UUID, uuid5

CommandKind = Literal["place", "cancel", "ship", "deliver", "refund"]
Outcome = Literal["done", "refused", "unknown"]
"""`unknown`: no answer, or one that says to come back."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a client; a repeat under the same key is a call of its own."""

    kind: CommandKind
    key: str
    start: float
    end: float
    outcome: Outcome
    status: int
    """0 without an answer."""
    body: str
    """SHA-256 of what was sent."""
    answer: str
    """SHA-256 of what was answered."""
    order_id: str = ""
    position: int = 0
    version: int = 0

    @property
    def cause(self) -> UUID:
        return request_id(self.key)


@dataclass(frozen=True, slots=True)
class Look:
    """What a reader saw of one row, in the order in which it looked."""

    reader: str
    row: str
    at: float
    version: int
    position: int


def request_id(key: str) -> UUID:
    """Give the X-Request-Id of every call under a key: the events that they cause carry it."""
    return uuid5(UUID(int=0), f"request/{key}")


def hashed(content: bytes) -> str:
    return sha256(content).hexdigest()


class History:
    """Any thread may add lines; each is in the file before the next call begins."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = threading.Lock()

    def add(self, line: Call | Look) -> None:
        with self._lock, self.file.open("a") as out:
            out.write(json.dumps(asdict(line)) + "\n")

    def calls(self) -> list[Call]:
        return [Call(**line) for line in self._lines() if "key" in line]

    def looks(self) -> list[Look]:
        return [Look(**line) for line in self._lines() if "reader" in line]

    def _lines(self) -> Iterator[dict[str, Any]]:
        if self.file.exists():
            yield from map(json.loads, self.file.read_text().splitlines())
