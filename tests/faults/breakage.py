"""A patch that brings back a bug, and a copy of the product to apply it to."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
BREAKAGES: Final = Path(__file__).with_name("breakages")
PARTS: Final = (
    *("schemas", "domain", "write_api", "projections", "query_api", "process_managers", "infra", "tests"),
    "pyproject.toml",
)
HEADER: Final = re.compile(
    r"Promise: (?P<promise>\d+)\nTarget: (?P<target>\S+)\n(?P<story>.+?)\n(?:---|diff)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Breakage:
    patch: Path
    promise: int
    target: str

    @classmethod
    def read(cls, patch: Path) -> "Breakage":
        told = HEADER.match(patch.read_text())
        assert told, f"{patch.name} does not begin with `Promise:`, `Target:` and what it breaks"
        return cls(patch, int(told["promise"]), told["target"])

    def apply(self, tree: Path) -> None:
        apply = ["git", "apply", "--whitespace=nowarn", str(self.patch)]
        subprocess.run(apply, cwd=tree, check=True, env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)})


def copied(tree: Path) -> Path:
    """Copy everything that a test needs."""
    tree.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, tree / part)
        else:
            shutil.copy2(ROOT / part, tree / part)
    return tree
