"""Contracts as others know them: the files of this repository as they stand on the branch that is published."""

import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[2]
_SETTING: Final = "ORDERFLOW_CONTRACT_BASE"


class BaseUnknown(Exception):  # noqa: N818  # a state of the world
    """The revision to compare with was named, and is not here: comparing with nothing would find nothing broken."""


def published(path: Path, root: Path = _ROOT) -> bytes | None:
    """Give a file as it was published, or None when it was not.

    That is at ORDERFLOW_CONTRACT_BASE, else where HEAD left `origin/main` or `main`; on that branch itself, HEAD while
    something is uncommitted, else the commit before.
    """
    at = base(root)
    return None if at is None else _git(root, "show", f"{at}:{_name(path, root)}")


def published_names(folder: Path, root: Path = _ROOT) -> list[str]:
    """Give the names of the files in a folder as it was published; none when it was not."""
    at = base(root)
    told = at and _text(root, "ls-tree", "--name-only", f"{at}:{_name(folder, root)}")
    return told.splitlines() if told else []


@cache
def base(root: Path = _ROOT) -> str | None:
    """Give the commit that is published; None where no git or no history tells. Raises BaseUnknown."""
    if named := os.environ.get(_SETTING):
        return _named(root, named)
    head = _text(root, "rev-parse", "--verify", "--quiet", "HEAD")
    forks = (_text(root, "merge-base", "HEAD", name) for name in ("origin/main", "main"))
    forked = next((at for at in forks if at), None)
    if forked != head:
        return forked
    changed = _text(root, "status", "--porcelain")
    return head if changed else _text(root, "rev-parse", "--verify", "--quiet", "HEAD~1")


def _named(root: Path, name: str) -> str:
    commit = _text(root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    if commit is None:
        raise BaseUnknown(f"{_SETTING}={name} names no commit of this repository: fetch it, or name another")
    return commit


def _name(path: Path, root: Path) -> str:
    return path.resolve().relative_to(root.resolve()).as_posix()


def _text(root: Path, *arguments: str) -> str | None:
    told = _git(root, *arguments)
    return told.decode().strip() if told else None


def _git(root: Path, *arguments: str) -> bytes | None:
    try:
        ran = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)  # noqa: S607
    except FileNotFoundError:
        return None
    return ran.stdout if ran.returncode == 0 else None
