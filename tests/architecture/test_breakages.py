"""The broken builds of `tests/faults` can still be made: a patch that no longer fits would break nothing."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATCHES = sorted((ROOT / "tests" / "faults" / "breakages").rglob("*.patch"))


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_breakage_fits_the_code(patch: Path) -> None:
    checked = subprocess.run(
        ["git", "apply", "--check", patch],  # noqa: S607  # the git of whoever has the repository
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, f"make {patch.name} anew from the code as it is: {checked.stderr}"
