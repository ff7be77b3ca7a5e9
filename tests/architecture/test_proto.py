"""The contracts in `proto/` are in buf's standard style, their generated code is theirs, and none breaks a caller."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from generate import PROTOSET, ROOT, describe, generate

from tests.architecture.published import published

_BUF: Final = Path(sys.executable).parent / "buf"
_CONFIG: Final = ROOT / "buf.yaml"
_GENERATED: Final = ("*_pb2*.py", "*_pb2*.pyi", PROTOSET)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Descriptors with their comments and places, which buf's messages name."""
    file = tmp_path_factory.mktemp("proto") / "image.binpb"
    describe(file, "--include_source_info")
    return file


def _buf(*arguments: object) -> str:
    """Run buf without a cache in anybody's home."""
    with TemporaryDirectory() as cache:
        ran = subprocess.run(
            [_BUF, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "BUF_CACHE_DIR": cache},
        )
    return ran.stdout + ran.stderr


def test_what_is_generated_is_what_the_contracts_say(tmp_path: Path) -> None:
    generate(tmp_path)
    stale = [file for file in _found(tmp_path) | _found(ROOT) if _bytes(tmp_path / file) != _bytes(ROOT / file)]
    assert not stale, f"proto/ has drifted from its generated code: run `make proto`. {sorted(map(str, stale))}"


def test_the_contracts_are_in_the_standard_style(image: Path) -> None:
    assert _ours(_buf("lint", image, "--config", _CONFIG)) == []


def test_the_contracts_are_formatted() -> None:
    assert (told := _buf("format", "--diff", ROOT)) == "", f"run `make proto`\n{told}"


def test_nothing_that_callers_know_is_broken(image: Path, tmp_path: Path) -> None:
    before = published(ROOT / PROTOSET)
    if before is None:
        return
    (tmp_path / "before.binpb").write_bytes(before)
    broken = _buf("breaking", image, "--against", tmp_path / "before.binpb", "--config", _CONFIG)
    assert broken == "", f"a caller of the published contracts would break; add instead, or begin a v2:\n{broken}"


def _ours(told: str) -> list[str]:
    return [line for line in told.splitlines() if not line.startswith(("buf/", "google/"))]


def _found(folder: Path) -> set[Path]:
    return {file.relative_to(folder) for pattern in _GENERATED for file in folder.rglob(pattern)}


def _bytes(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None
