"""Gets a program of the Java world from Maven Central, once per user and version."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from infra.local.child import LOG_TAIL_BYTES, ServerFailed
from infra.local.packages import program

_PLUGIN: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


def jars_of(pom: Path) -> Path:
    """Give the folder with what a POM depends on; another content of the POM is another folder."""
    name = f"{pom.name.removesuffix('.pom.xml')}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    folder = _cache() / name
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                _fetch(pom, folder)
    return folder


def _cache() -> Path:
    named = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(named) if Path(named).is_absolute() else Path("~/.cache").expanduser()) / "orderflow"


def _fetch(pom: Path, folder: Path) -> None:
    maven = program("mvn", "maven")
    sys.stderr.write(f"Fetching {folder.name} from Maven Central; this happens once.\n")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as unfinished:
        # Maven keeps its own files beside the POM.
        shutil.copy(pom, Path(unfinished) / "pom.xml")
        jars = Path(unfinished) / "jars"
        options = ("-q", "-B", _PLUGIN, f"-DoutputDirectory={jars}", "-DincludeScope=runtime")
        done = subprocess.run([maven, *options], cwd=unfinished, capture_output=True, check=False)  # noqa: S603
        if done.returncode != 0 or not any(jars.glob("*.jar")):
            told = (done.stdout + done.stderr)[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
            raise ServerFailed(f"{folder.name} could not be fetched from Maven Central. Maven said:\n{told}")
        jars.rename(folder)
