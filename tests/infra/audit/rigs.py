"""A log with checkpoints to tamper with, and the verdict of the verifier on it."""

from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from infra.audit import reading
from infra.audit.checkpoints import Checkpoints, Made
from infra.audit.findings import Findings
from infra.audit.note import LogKey
from infra.audit.verify import Verifier, handed_out, opened
from infra.audit.verify_bundle import Checkpoint
from infra.event_log import Stored
from tests.appending import open_pool
from tests.benchmarks import stored_log

KEY: Final = LogKey("log.example.com/kaffa", Ed25519PrivateKey.from_private_bytes(b"k" * 32))
OTHER_KEY: Final = LogKey("log.example.com/kaffa", Ed25519PrivateKey.from_private_bytes(b"o" * 32))

Admin = psycopg.Connection[tuple[Any, ...]]


def with_holes(events: int) -> list[Stored]:
    """Give chained events at even positions, so that others can be put between them."""
    return [Stored(2 * each.position, *each[1:]) for each in stored_log.lives(events)]


async def signed(dsn: str, folder: Path, key: LogKey = KEY) -> Made | None:
    async with open_pool(dsn) as pool:
        return await Checkpoints(pool, key, folder).make()


def verdict(connection: Admin, *, key: LogKey = KEY, held: dict[str, Checkpoint] | None = None) -> Findings:
    """Verify all of the log, as the connection's transaction sees it."""
    findings = Findings()
    kept = opened(reading.kept(connection), key.public, findings)
    handed_out((held or {}).items(), kept, findings)
    verifier = Verifier(kept, partial(reading.leaves_of, connection), findings)
    for page in reading.pages(connection, reading.START):
        verifier.take(page)
    verifier.finish()
    reading.look_at_head(connection, findings)
    return findings
