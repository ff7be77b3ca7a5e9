"""What processes cost: CPU seconds and memory, by role."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil


def cpu_seconds(pids: Mapping[str, int], *, family: bool = True) -> dict[str, float]:
    """Give CPU seconds since the start, by name; a process counts with its children, or alone."""
    return {
        name: sum(map(_cpu, _family(pid))) if family else sum(psutil.Process(pid).cpu_times()[:2])
        for name, pid in pids.items()
    }


def megabytes(pids: Mapping[str, int]) -> dict[str, float]:
    """Give memory by name, shared pages divided among those who share them (PSS)."""
    return {name: sum(_pss(process.pid) for process in _family(pid)) / 2**20 for name, pid in pids.items()}


def _family(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def _cpu(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0


def _pss(pid: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
        return int(fields["Pss"].split()[0]) * 1024
    return 0
