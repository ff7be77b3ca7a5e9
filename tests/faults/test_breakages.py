"""Each patch brings back a bug that others have had; the test that it names must fail for the promise that it names."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.running import environment

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

ROOT: Final = Path(__file__).parents[2]
PATCHES: Final = sorted(Path(__file__).with_name("breakages").glob("*.patch"))
PARTS: Final = (
    *("schemas", "domain", "write_api", "projections", "query_api", "process_managers", "infra", "tests"),
    "pyproject.toml",
)
HEADER: Final = re.compile(
    r"Promise: (?P<promise>\d+)\nTarget: (?P<target>\S+)\n(?P<story>.+?)\n(?:---|diff)", re.DOTALL
)
CHECKED: Final = "tests/faults/"
"""Where the checker judges, and names the promise."""
FAILED: Final = 1
"""What pytest answers when tests were run and some failed: not when it could not run them."""


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


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of everything that a test needs."""
    copy = tmp_path / "tree"
    copy.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, copy / part)
        else:
            shutil.copy2(ROOT / part, copy / part)
    return copy


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_broken_build_is_found(patch: Path, tree: Path) -> None:
    breakage = Breakage.read(patch)
    apply = ["git", "apply", "--whitespace=nowarn", str(patch)]
    subprocess.run(apply, cwd=tree, check=True, env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)})
    test = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "-q", breakage.target]
    variables = {**environment(tree.parent), "PYTHONPATH": str(tree)}
    done = subprocess.run(test, cwd=tree, capture_output=True, text=True, check=False, env=variables)
    assert done.returncode == FAILED, f"{patch.name} was not found:\n{done.stdout[-3_000:]}{done.stderr[-1_000:]}"
    if breakage.target.startswith(CHECKED):
        assert f"promise {breakage.promise}:" in done.stdout, done.stdout[-3_000:]


def test_every_promise_is_broken_by_some_build() -> None:
    assert {Breakage.read(patch).promise for patch in PATCHES} == set(range(1, 11))
