"""Where the servers of a data folder listen and how they are entered: chosen once, the same after every restart."""

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from infra.http import LOOPBACK
from infra.local.ports import is_free, spare_port
from infra.local.ready import write_whole

_FILE_NAME: Final = "addresses.json"


class Addresses(BaseModel):
    """Holds passwords, so the file is for its owner's eyes only."""

    model_config = ConfigDict(frozen=True)

    ports: dict[str, int] = {}
    secrets: dict[str, str] = {}


def addresses_in(data_dir: Path, ports: Iterable[str], passwords: Iterable[str]) -> Addresses:
    """Give what the folder keeps; choose what is missing, and another port for one that somebody else took."""
    file = data_dir / _FILE_NAME
    known = Addresses.model_validate_json(file.read_bytes()) if file.exists() else Addresses()
    kept = known.model_copy(deep=True)
    for name in ports:
        if name not in kept.ports or not is_free(LOOPBACK, kept.ports[name]):
            kept.ports[name] = spare_port(LOOPBACK, set(kept.ports.values()))
    for name in passwords:
        kept.secrets.setdefault(name, secrets.token_hex(24))
    if kept != known:
        write_whole(file, kept.model_dump_json(indent=2) + "\n")
    return kept
