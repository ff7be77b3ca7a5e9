"""Carries out `orderflow audit checkpoint`."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.audit.checkpoints import Checkpoints, Made, NotSigned, name_of
from infra.audit.note import WrongKey, read_log_key
from infra.commands.audit_place import Place
from infra.commands.failure import Failure
from infra.commands.platform_database import opened


@dataclass(frozen=True, slots=True)
class Signed:
    made: Made
    file: Path
    public_key: str

    @property
    def note(self) -> str:
        return self.made.note

    def told(self) -> dict[str, Any]:
        made = self.made
        return {
            "size": made.size,
            "position": made.position,
            "checkpoint": made.note,
            "public_key": self.public_key,
            "file": str(self.file),
        }


def sign(place: Place) -> Signed:
    """Raises Failure when nothing can be signed."""
    if place.key_file is None or place.folder is None:
        raise Failure("Name the log's key with ORDERFLOW_LOG_KEY_FILE, or its data folder with --data.")
    try:
        key = read_log_key(place.key_file)
    except WrongKey as wrong:
        raise Failure(str(wrong)) from wrong
    folder = place.folder

    async def run() -> Made | None:
        async with opened(place.settings) as pool:
            return await Checkpoints(pool, key, folder).make()

    try:
        made = asyncio.run(run())
    except NotSigned as alarm:
        raise Failure(str(alarm)) from alarm
    except OSError as error:
        raise Failure(f"{folder} cannot be written: {error.strerror}.") from error
    if made is None:
        raise Failure("The log is empty: there is nothing to sign.")
    return Signed(made, folder / name_of(made.size), key.public)
