"""What a data folder says about the servers that a keeper holds in it, and whether that keeper is still there."""

import os
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from infra.local.child import ServerFailed
from infra.local.servers import lock_at

_FILE_NAME: Final = "servers.json"


class KeptServers(BaseModel):
    """Holds passwords, so the file is for its owner's eyes only."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["native", "docker"]
    pid: int
    """Of the keeper; 0 where Docker keeps them."""
    started: str
    """When the keeper started, in the kernel's words: a number that is given again tells nothing."""
    urls: dict[str, str]
    """By the name of their setting."""
    pids: dict[str, int] = {}
    """By the name of the server."""


def file_in(folder: Path) -> Path:
    return folder / _FILE_NAME


def kept_in(folder: Path) -> KeptServers | None:
    try:
        return KeptServers.model_validate_json(file_in(folder).read_bytes())
    except (OSError, ValidationError):
        return None


def owner_of(folder: Path) -> int | None:
    """Give the process that holds the folder, or None when it is free."""
    path = folder / "owner.lock"
    if not path.exists():
        return None
    held = lock_at(path)
    if held is not None:
        os.close(held)
        return None
    return int(path.read_text() or 0)


def keeper_of(folder: Path) -> KeptServers | None:
    """Give what is said by the keeper that holds the folder; None when nobody does, or not yet.

    Raises ServerFailed when somebody else holds it.
    """
    owner, kept = owner_of(folder), kept_in(folder)
    if owner is None:
        return None
    if kept is not None and kept.pid == owner and kept.started == started_of(owner):
        return kept
    if is_keeper(owner):
        return None
    raise ServerFailed(
        f"{folder} is in use by process {owner}, which `orderflow servers` did not start. "
        "Stop that one first, or name another folder with --data."
    )


def is_keeper(pid: int) -> bool:
    try:
        return b"infra.local.keeper" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return True


def started_of(pid: int) -> str:
    """Give nothing where the kernel does not tell it in a file."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
