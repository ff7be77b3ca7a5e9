"""One process that is watched: the acquirer, because it needs no server."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from infra.local.failures import PartFailed, explained
from infra.local.outside import ACQUIRER
from infra.local.supervised import Supervised, Surroundings
from infra.runtime import NotStarted
from tests.running import environment, until
from tests.waiting import eventually

OWNER = """
import asyncio, os, sys
from pathlib import Path
from infra.local.supervised import Supervised, Surroundings

async def main():
    around = Surroundings(Path(sys.argv[1]), os.environ, False, print, lambda: None)
    child = Supervised("acquirer", around)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(child.keep())
        await child.first_ready()
        print(child.pid, flush=True)

asyncio.run(main())
"""


def settings(folder: Path) -> dict[str, str]:
    return {**environment(folder), "ORDERFLOW_DATA_DIR": str(folder)}


@asynccontextmanager
async def watched(folder: Path, notices: list[str]) -> AsyncIterator[Supervised]:
    around = Surroundings(folder, settings(folder), verbose=True, notice=notices.append, changed=lambda: None)
    child = Supervised(ACQUIRER, around)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(child.keep())
        await child.first_ready()
        yield child
        await child.stop(10)


async def test_a_process_that_is_killed_is_started_again_and_said_so(tmp_path: Path) -> None:
    notices: list[str] = []
    async with watched(tmp_path, notices) as child:
        first = child.pid or 0
        os.kill(first, signal.SIGKILL)

        async def another() -> bool:
            return child.restarts == 1 and child.pid not in {None, first}

        await eventually(another)
        assert [notice.split(";")[0] for notice in notices] == [
            "acquirer was ended by signal SIGKILL and is started again"
        ]
        second = child.pid or 0
    assert not psutil.pid_exists(second)


async def test_a_process_that_stands_still_is_ended_when_its_time_to_stop_is_over(tmp_path: Path) -> None:
    async with watched(tmp_path, []) as child:
        pid = child.pid or 0
        os.kill(pid, signal.SIGSTOP)
        await child.stop(0.2)
    assert not psutil.pid_exists(pid)


async def test_a_process_that_cannot_start_fails_with_what_it_said(tmp_path: Path) -> None:
    around = Surroundings(tmp_path, environment(tmp_path), verbose=False, notice=print, changed=lambda: None)
    with pytest.raises(PartFailed) as failed:
        await Supervised(ACQUIRER, around).keep()
    assert isinstance(failed.value.__cause__, NotStarted)
    assert explained(failed.value).startswith("acquirer could not start: ")
    assert "ORDERFLOW_DATA_DIR" in explained(failed.value)


def test_nothing_outlives_a_watcher_that_is_killed(tmp_path: Path) -> None:
    program = [sys.executable, "-c", OWNER, str(tmp_path)]
    with subprocess.Popen(program, env=settings(tmp_path), stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        owner.kill()
        until(lambda: not psutil.pid_exists(pid) or None)
