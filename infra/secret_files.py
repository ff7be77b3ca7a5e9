"""Files that nobody but their owner may read."""

import os
from pathlib import Path


def secret_in(folder: Path) -> Path:
    """Tell where a platform that keeps its data in a folder has the secret of its vault."""
    return folder / "keys" / "vault"


def write_secret(file: Path, content: bytes) -> None:
    """Write a file for its owner alone (0600), in one step: a kill leaves all of it on the disk, or nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    unfinished.replace(file)
