"""Where a platform keeps its data: a named folder that stays, or a fresh one that is removed at the end."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from infra.local.child import ServerFailed

_PREFIX: Final = "orderflow-up-"


@contextmanager
def data_folder(kept: Path | None) -> Iterator[Path]:
    """Give an absolute path. Without `kept`, also removes what a killed platform of this user left behind."""
    if kept is not None:
        yield _made(kept.expanduser().absolute())
        return
    _sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ServerFailed(
            f"{folder} cannot be the data folder: {error.strerror}. Name another with --data."
        ) from error
    return folder


def _sweep(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.lstat().st_uid == os.getuid() and _is_left_behind(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_left_behind(folder: Path) -> bool:
    """Both locks are free: its process is gone, and so are its servers. A folder without locks is just starting."""
    return all(_is_free(folder / name) for name in ("owner.lock", "servers.lock"))


def _is_free(lock: Path) -> bool:
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
