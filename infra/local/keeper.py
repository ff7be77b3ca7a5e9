"""Holds the cluster's servers for whoever comes and goes: `python -m infra.local.keeper FOLDER NAME...`."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from infra.local.child import ServerFailed
from infra.local.cluster_servers import ClusterServers
from infra.local.kept_servers import KeptServers, file_in, started_of
from infra.local.ready import write_whole

WATCH_SECONDS = 0.25


def keep(folder: Path, names: list[str], postgres_settings: dict[str, str]) -> int:
    """Run until SIGTERM, and give the exit code. Call it in the main thread."""
    signal.signal(signal.SIGTERM, _interrupt)
    file = file_in(folder)
    try:
        with ClusterServers(folder, names=names, postgres_settings=postgres_settings) as servers:
            try:
                asyncio.run(_told(servers, file))
            finally:
                file.unlink(missing_ok=True)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 0
    except ServerFailed as failed:
        _say(str(failed))
        return 1
    return 0


async def _told(servers: ClusterServers, file: Path) -> None:
    """Start again what ends, and say where everything is whenever that changes."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _stop, asyncio.current_task())
    told: dict[str, int] = {}
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(servers.watch(_say), name="servers")
        while True:
            if servers.pids != told:
                told = servers.pids
                pid = os.getpid()
                kept = KeptServers(kind="native", pid=pid, started=started_of(pid), urls=servers.urls, pids=told)
                write_whole(file, kept.model_dump_json(indent=2) + "\n")
            await asyncio.sleep(WATCH_SECONDS)


def _stop(task: "asyncio.Task[None] | None") -> None:
    if task is not None:
        task.cancel()


def _say(sentence: str) -> None:
    sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {sentence}\n")
    sys.stderr.flush()


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _main(arguments: list[str]) -> int:
    settings = dict(argument.split("=", 1) for argument in arguments[1:] if "=" in argument)
    return keep(Path(arguments[0]), [name for name in arguments[1:] if "=" not in name], settings)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
