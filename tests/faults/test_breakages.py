"""Each patch brings back a bug that others have had; the test that it names must fail for the promise that it names."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.faults.breakage import BREAKAGES, Breakage, copied
from tests.running import environment

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

PATCHES: Final = sorted(BREAKAGES.glob("*.patch"))
CHECKED: Final = "tests/faults/"
"""Where the checker judges, and names the promise."""
FAILED: Final = 1
"""What pytest answers when tests were run and some failed: not when it could not run them."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return copied(tmp_path / "tree")


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_broken_build_is_found(patch: Path, tree: Path) -> None:
    breakage = Breakage.read(patch)
    breakage.apply(tree)
    test = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "-q", breakage.target]
    variables = {**environment(tree.parent), "PYTHONPATH": str(tree)}
    done = subprocess.run(test, cwd=tree, capture_output=True, text=True, check=False, env=variables)
    assert done.returncode == FAILED, f"{patch.name} was not found:\n{done.stdout[-3_000:]}{done.stderr[-1_000:]}"
    if breakage.target.startswith(CHECKED):
        assert f"promise {breakage.promise}:" in done.stdout, done.stdout[-3_000:]


def test_every_promise_is_broken_by_some_build() -> None:
    assert {Breakage.read(patch).promise for patch in PATCHES} == set(range(1, 11))
