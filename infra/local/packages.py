"""Finds the programs that the cluster's servers need; where root may, gets them from Debian."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from infra.local.child import ServerFailed

POLICY: Final = Path("/usr/sbin/policy-rc.d")
_REFUSAL: Final = "#!/bin/sh\n# A package that is being installed may not start its own service.\nexit 101\n"


def program(name: str, package: str, *places: Path) -> Path:
    """Give where a program is: at one of `places`, else on the path. Installs its package when root may."""
    return _found(name, places) or _installed(name, package, places)


def _found(name: str, places: Sequence[Path]) -> Path | None:
    named = shutil.which(name)
    return next((place for place in places if place.is_file()), Path(named) if named else None)


def _installed(name: str, package: str, places: Sequence[Path]) -> Path:
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        raise ServerFailed(f"The program {name} is missing. Install it with `sudo apt-get install {package}`.")
    with _one_at_a_time():
        if found := _found(name, places):
            return found
        sys.stderr.write(f"Installing {package} from Debian; this happens once.\n")
        with no_service_starts():
            if _apt_get("install", package) != 0:
                _apt_get("update")
                _apt_get("install", package)
    found = _found(name, places)
    if found is None:
        raise ServerFailed(f"Installing {package} failed. Install it with `apt-get install {package}` and start again.")
    return found


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    with (Path(tempfile.gettempdir()) / "orderflow-packages.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def no_service_starts() -> Iterator[None]:
    """Our servers are our children; a system service beside them would take memory and the usual ports."""
    try:
        with os.fdopen(os.open(POLICY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755), "w") as written:
            written.write(_REFUSAL)
    except FileExistsError:
        # The machine has a policy of its own, most likely the same: containers refuse services.
        yield
        return
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            POLICY.unlink()


def _apt_get(action: str, *packages: str) -> int:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    options = ("-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300")
    command = [shutil.which("apt-get") or "apt-get", action, *options, *packages]
    return subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode  # noqa: S603
